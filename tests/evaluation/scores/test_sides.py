from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.sides import prepare
from reid_gl.records import Features


def features(pids: list[int], camids: list[int], images: list[int] | None = None) -> Features:
    rows = np.arange(2 * len(pids), dtype=np.float32).reshape(-1, 2)
    return Features(
        rows, np.array(pids), np.array(camids), images=None if images is None else np.array(images)
    )


def test_rules_of_cameras_and_images() -> None:
    sides = prepare(
        features([1], [4], [0]),
        features([1, -1, 2], [4, 5, 6], [0, -1, -1]),
        use_cameras=True,
        drop_junk=True,
    )
    assert sides.gallery is not None
    assert sides.gallery.tolist() == [[0, 1], [4, 5]]
    assert sides.gallery_pids.tolist() == [1, 2]
    assert [(rule.query.tolist(), rule.gallery.tolist(), rule.wants_same) for rule in sides.rules] == [
        ([4], [4, 6], False),
        ([0], [0, -1], False),
    ]
    kept = prepare(features([1], [4]), features([1, -1], [4, 5]), use_cameras=False, drop_junk=False)
    assert [(rule.query.tolist(), rule.gallery.tolist()) for rule in kept.rules] == [([-1], [-1, -1])]
    assert kept.gallery_pids.tolist() == [1, -1]


def test_queries_that_search_one_another_have_cameras_of_their_own() -> None:
    sides = prepare(features([1, -1, 1], [-1, 0, -1]), None, use_cameras=True, drop_junk=False)
    assert sides.gallery is None
    assert sides.query.tolist() == [[0, 1], [4, 5]]
    (rule,) = sides.rules
    assert len(set(rule.query.tolist())) == 2
    assert rule.query.tolist() == rule.gallery.tolist()


def test_sides_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="expected the same number of columns"):
        prepare(
            features([1], [0]),
            Features(np.ones((1, 3), np.float32), np.array([1]), np.array([0])),
            use_cameras=True,
            drop_junk=False,
        )
