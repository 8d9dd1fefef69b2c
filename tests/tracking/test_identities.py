from __future__ import annotations

import numpy as np
import pytest

from reid_gl.tracking.identities import Identities, assign_identities

RED, BLUE = np.eye(3)[:2]


def two_walks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Red walks in frames 1 to 4 and, elsewhere, in 30 to 33; blue in 2 to 5; an error in frame 40."""
    rows = [(n, 5.0 * n, RED) for n in range(1, 5)]
    rows += [(n, 100 - 5.0 * n, BLUE) for n in range(2, 6)]
    rows += [(n, 5.0 * n, RED) for n in range(30, 34)]
    rows += [(40, 0.0, np.eye(3)[2]), (41, 0.0, np.zeros(3))]
    rows.sort(key=lambda row: row[0])
    boxes = np.array([[left, 0, left + 20, 50] for _, left, _ in rows])
    return np.array([row[0] for row in rows]), boxes, np.array([row[2] for row in rows])


def assign(
    frames: np.ndarray, boxes: np.ndarray, features: np.ndarray, ids: np.ndarray | None = None
) -> Identities:
    return assign_identities(frames, boxes, features, track_ids=ids, threshold=0.3, max_gap=5)


def test_somebody_who_comes_back_is_known() -> None:
    frames, boxes, features = two_walks()
    found = assign(frames, boxes, features)
    expected = np.where(features[:, 1] == 1, 2, 1)
    expected[-2:] = 0  # one box is no person, and a box without a feature is nobody
    assert found.numbers.tolist() == expected.tolist()
    assert found.count == 2
    assert len(set(found.tracklets.tolist()) - {-1}) == 4
    assert found.similarities.tolist() == pytest.approx([1.0] * 12 + [0.0, 0.0])


def test_numbers_of_a_tracker_are_tracklets_numbered_by_first_occurrence() -> None:
    frames, boxes, features = two_walks()
    ids = np.where(features[:, 1] == 1, 3, np.where(frames < 20, 99, 7))
    found = assign(frames, boxes, features, ids)
    assert found.numbers[:12].tolist() == [2 if one == 3 else 1 for one in ids[:12]]
    assert found.numbers[12:].tolist() == [1, 0]  # the tracker says so, and outside the frame is nobody
    ids[ids == 3] = 99
    with pytest.raises(ValueError, match="track 99 has two boxes in frame 2"):
        assign(frames, boxes, features, ids)


def test_similarity_is_the_cosine_to_the_mean_of_the_identity() -> None:
    features = np.array([[1.0, 0, 0], [1, 0, 0], [0.8, 0.6, 0]])
    boxes = np.tile([0.0, 0, 10, 10], (3, 1))
    mean = features.mean(axis=0)
    found = assign(np.array([1, 2, 3]), boxes, features)
    assert found.similarities == pytest.approx(features @ mean / np.linalg.norm(mean))


def test_no_people_at_all() -> None:
    found = assign(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros((0, 3)))
    assert (found.count, len(found.numbers)) == (0, 0)
