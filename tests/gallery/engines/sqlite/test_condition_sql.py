"""A condition means the same in SQL, in memory and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.interface.condition import make_condition
from reid_gl.gallery.interface.engine import Addition
from reid_gl.gallery.interface.sightings import unit_features
from tests.gallery.made_up_galleries import MORNING, features, sightings
from tests.reference.slow_gallery import SlowRow, slow_rows

COUNT = 60


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "people.db"
    engine = SqliteEngine(path, "a")
    engine.add(Addition([(unit_features("", features(COUNT), None), sightings(COUNT))], MORNING + 900))
    engine.close()
    return path


@pytest.mark.parametrize("seed", range(25))
def test_the_three_agree(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    engine = SqliteEngine(path, "r")

    def some(names: tuple[str, ...]) -> dict[str, list[int]]:
        chosen = [name for name in names if rng.random() < 0.4]
        return {name: rng.integers(-1, 5, rng.integers(0, 4)).tolist() for name in chosen}

    only = some(("camera", "pid", "tracklet"))
    exclude = [rule for rule in (some(("id", "camera", "pid", "tracklet")) for _ in range(2)) if rule]
    limits: dict[str, Any] = {}
    if rng.random() < 0.5:
        ends = np.sort(MORNING + rng.uniform(0, 3600, 2)).tolist()
        limits["time"] = (ends[0] if rng.random() < 0.7 else None, ends[1] if rng.random() < 0.7 else None)
    for name in ("since", "before"):
        if rng.random() < 0.4:
            limits[name] = MORNING + float(rng.uniform(0, 3600))
    condition = make_condition(only=only, exclude=exclude, **limits)
    vectors, metadata = features(COUNT), sightings(COUNT)
    rows = [SlowRow(row + 1, vectors[row], metadata[row], MORNING + 900) for row in range(COUNT)]
    expected = [row.id for row in slow_rows(rows, only=only, exclude=exclude, **limits)]
    assert [row.id for batch in engine.read(condition) for row in batch] == expected
    found = engine.search(unit_features("", features(1), None), COUNT, condition)
    assert sorted(found.ids[0].tolist()) == expected
    engine.close()


def test_a_condition_in_the_words_of_the_log() -> None:
    condition = make_condition(
        only={"camera": [3, 1], "pid": None}, exclude={"id": 4}, time=(2.0, None), before=9
    )
    assert condition.to_dict() == {
        "camera": [1, 3],
        "exclude": [{"id": [4]}],
        "first_time": 2.0,
        "before": 9.0,
    }
