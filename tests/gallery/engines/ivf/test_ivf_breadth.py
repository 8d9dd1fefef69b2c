"""How widely to search is chosen by measuring."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("faiss")

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.engines.ivf import ivf_breadth
from reid_gl.gallery.engines.ivf.ivf_file import read_marks
from reid_gl.gallery.engines.ivf.ivf_settings import USUAL
from reid_gl.gallery.engines.sqlite.index_beside import index_path
from tests.gallery.made_up_galleries import features

COUNT = 3_000
TRAINED = f"?lists=256&bytes=8&train_at={COUNT}"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that form no clusters, in many lists: the neighbours of a row are in many of them."""
    path = tmp_path_factory.mktemp("trained") / "people.db"
    with Gallery(f"faiss:{path}{TRAINED}") as gallery:
        gallery.add(features(COUNT), [Sighting()] * COUNT)
    return path


def test_what_training_chose_reaches_098_where_the_usual_values_do_not(path: Path) -> None:
    usual = f"?probes={USUAL.probes}&candidates={USUAL.candidates}"
    recalls = {}
    for options in (usual, ""):
        with Gallery(f"faiss:{path}{options}", "r") as gallery:
            recalls[options] = gallery.recall(num_queries=60, k=50)
    assert recalls[usual] < 0.9
    assert recalls[""] >= 0.98


def test_what_was_chosen_is_kept_and_what_is_given_wins(path: Path) -> None:
    chosen = read_marks(index_path(path)).breadth
    assert chosen is not None
    assert chosen.probes > USUAL.probes
    assert chosen.recall is not None
    assert ivf_breadth.TARGET <= chosen.recall <= 1
    with Gallery(f"faiss:{path}", "r") as gallery:
        shown = json.loads(json.dumps(gallery.stats().index))
        assert shown["recall_when_trained"] == chosen.recall
        assert (shown["probes"], shown["candidates"]) == (chosen.probes, chosen.candidates)
    with Gallery(f"faiss:{path}?probes=3", "r") as gallery:
        given = gallery.stats().index
    assert given is not None
    assert (given["probes"], given["candidates"]) == (3, chosen.candidates)
    assert "recall_when_trained" not in given


def test_the_best_is_taken_if_nothing_is_good_enough(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf_breadth, "MOST_CODES", 1)
    with Gallery(f"faiss:{path}?lists=64", "r+") as gallery:
        gallery.train()
        assert gallery.add(features(1), [Sighting()]).tolist() == [COUNT + 1]
    chosen = read_marks(index_path(path)).breadth
    assert chosen is not None
    assert chosen.probes == ivf_breadth.FEWEST_PROBES
    assert chosen.recall is not None
    assert chosen.recall < 0.98
