from __future__ import annotations

import numpy as np

from reid_gl.experiment.reporting import report_map
from reid_gl.experiment.reporting.report_map import make_map
from reid_gl.records import Features


def made_up(count: int, seed: int) -> Features:
    """Ten people in tight groups."""
    rng = np.random.default_rng(seed)
    pids = np.arange(count) % 10 + 1
    rows = 5 * np.eye(11, 64)[pids] + 0.1 * rng.normal(size=(count, 64))
    return Features(rows.astype(np.float32), pids, np.zeros(count, np.int64))


def test_images_of_a_person_lie_together_on_the_map() -> None:
    query, gallery = made_up(10, 0), made_up(50, 1)
    found = make_map(query, gallery, "cosine")
    assert found is not None
    assert found["places"] == list(range(60))
    places = np.column_stack([found["x"], found["y"]])
    assert (places.min(), places.max()) == (0.0, 1.0)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(60)
    pids = np.concatenate([query.pids, gallery.pids])
    assert (pids[distances.argmin(axis=1)] == pids).mean() > 0.95


def test_whole_people_are_drawn_as_far_as_there_is_room() -> None:
    query, gallery = made_up(10, 0), made_up(50, 1)
    pids = np.concatenate([query.pids, gallery.pids])
    chosen = report_map._choose(np.unique(query.pids), np.concatenate([pids] * 40))
    assert 0 < len(chosen) <= report_map.MAX_IMAGES
    assert len(chosen) % (6 * 40) == 0


def test_few_images_make_no_map() -> None:
    assert make_map(made_up(3, 0), made_up(4, 1), "cosine") is None
    distractors = Features(np.eye(9, dtype=np.float32), np.zeros(9, np.int64), np.zeros(9, np.int64))
    assert make_map(distractors, None, "cosine") is None
