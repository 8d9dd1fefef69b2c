from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from reid_gl.tracking.linking import link_boxes, overlaps, rows_by_frame

RED, BLUE = np.eye(2)
Floats = NDArray[np.float64]


def link(*rows: tuple[int, float, Floats], max_gap: int = 5) -> list[int]:
    """Tracklets of boxes (frame, left edge, feature), 20 wide and 50 high."""
    frames = np.array([frame for frame, _, _ in rows], dtype=np.int64)
    boxes = np.array([[left, 0, left + 20, 50] for _, left, _ in rows], dtype=np.float64).reshape(-1, 4)
    features = np.array([feature for _, _, feature in rows]).reshape(-1, 2)
    return link_boxes(frames, boxes, features, threshold=0.3, max_gap=max_gap).tolist()


def test_people_keep_their_tracklets() -> None:
    rows = [(n, x, f) for n in range(1, 6) for x, f in ((5.0 * n, RED), (100.0 - 5 * n, BLUE))]
    assert link(*rows) == [0, 1] * 5
    assert link() == []


def test_where_people_cross_the_feature_decides() -> None:
    rows = [(1, 0.0, RED), (1, 6.0, BLUE), (2, 6.0, RED), (2, 0.0, BLUE)]
    assert link(*rows) == [0, 1, 0, 1]


def test_of_people_alike_the_overlap_decides() -> None:
    assert link((1, 0.0, RED), (1, 12.0, RED), (2, 11.0, RED), (2, 1.0, RED)) == [0, 1, 1, 0]


def test_the_best_sum_is_taken_not_the_best_pair() -> None:
    # the first box would fit the second tracklet best, but then the second box would have none
    assert link((1, 0.0, RED), (1, 8.0, RED), (2, 7.0, RED), (2, 14.0, RED)) == [0, 1, 0, 1]


def test_another_person_in_the_same_place_begins_a_tracklet() -> None:
    assert link((1, 0.0, RED), (2, 0.0, BLUE)) == [0, 1]


def test_a_box_elsewhere_begins_a_tracklet() -> None:
    assert link((1, 0.0, RED), (2, 15.0, RED)) == [0, 1]


def test_somebody_hidden_is_expected_further_on() -> None:
    before = [(n, 8.0 * n, RED) for n in range(1, 7)]
    assert link(*before, (9, 72.0, RED)) == [0] * 7
    assert link(*before, (9, 48.0, RED)) == [0] * 6 + [
        1
    ]  # where the person was last seen, nobody is expected
    assert link(*before, (9, 72.0, RED), max_gap=2) == [0] * 6 + [1]


def test_a_box_without_a_feature_is_left_out() -> None:
    nothing = np.zeros(2)
    assert link((1, 0.0, nothing), (1, 0.0, RED), (2, 0.0, nothing), (3, 0.0, RED)) == [-1, 0, -1, 0]


def test_overlaps() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]])
    expected = np.eye(4)
    expected[0, 1] = expected[1, 0] = 50 / 150
    expected[3, 3] = 0  # empty
    assert overlaps(boxes, boxes) == pytest.approx(expected)


def test_rows_by_frame() -> None:
    found = rows_by_frame(np.array([1, 1, 4, 6]), np.array([True, True, False, True]))
    assert [(frame, rows.tolist()) for frame, rows in found] == [(1, [0, 1]), (6, [3])]
    assert not list(rows_by_frame(np.array([1]), np.array([False])))
