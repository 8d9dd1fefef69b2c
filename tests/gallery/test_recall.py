from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Found
from reid_gl.gallery.interface.sightings import Floats
from reid_gl.gallery.recall import measure_recall
from tests.gallery.made_up_galleries import features, filled


class Forgetful(SqliteEngine):
    """Finds only every second row."""

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        found = super().search(queries, 2 * num_nearest, condition)
        return Found([ids[ids % 2 == 0] for ids in found.ids], found.rows)


def test_an_exact_search_finds_all_and_half_a_search_half(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    filled(path, 400)
    with Gallery(path, "r") as gallery:
        assert gallery.recall(num_queries=30, k=20) == 1.0
        assert gallery.recall(num_queries=900, k=900) == 1.0
    engine = Forgetful(path, "r")
    assert measure_recall(engine, 400, 20) == pytest.approx(expected_share(400, 20), abs=1e-6)
    engine.close()


def expected_share(count: int, k: int) -> float:
    """The share of even numbers among the k nearest rows, without a gallery."""
    vectors = features(count).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    return float(np.mean((np.argsort(-cosines, axis=1)[:, :k] + 1) % 2 == 0))


def test_recall_needs_two_rows_and_whole_numbers(tmp_path: Path) -> None:
    with Gallery(tmp_path / "people.db") as gallery:
        gallery.add(features(1), [Sighting()])
        with pytest.raises(ValueError, match="has 1 rows: recall needs at least two"):
            gallery.recall()
        with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
            gallery.recall(k=0)
    assert '"action": "recall"' in (tmp_path / "people.db.audit.jsonl").read_text()
