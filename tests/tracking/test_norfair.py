from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from reid_gl.tracking import NorfairEmbeddings, norfair_distance
from tests.tracking.coloured_people import BLUE, RED, make_extractor, noise_frame


@dataclass
class _Detection:
    embedding: Any


@dataclass
class _Object:
    """What the tracker keeps of a person: the last detection and some earlier ones."""

    last_detection: _Detection
    past_detections: list[_Detection] = field(default_factory=list)


def _object(*embeddings: Any) -> _Object:
    detections = [_Detection(embedding) for embedding in embeddings]
    return _Object(detections[-1], detections)


def _join(new: list[_Object], lost: list[_Object], threshold: float) -> dict[int, int]:
    """Greedy: the nearest pair first, as long as it is under the threshold; NaN stops the tracker."""
    distances = np.array([[norfair_distance(candidate, known) for known in lost] for candidate in new])
    if np.isnan(distances).any():
        raise ValueError("received NaN")
    pairs = {}
    while distances.size and distances.min() < threshold:
        row, column = np.unravel_index(distances.argmin(), distances.shape)
        pairs[int(row)] = int(column)
        distances[row, :] = distances[:, column] = np.inf
    return pairs


def test_people_are_found_again_by_colour() -> None:
    frame = noise_frame()
    frame[20:70, 10:30], frame[20:70, 60:80] = RED, BLUE
    later = noise_frame(1)
    later[30:80, 100:120], later[30:80, 150:170] = BLUE, RED
    embeddings = NorfairEmbeddings(make_extractor())
    lost = [
        _object(each) for each in embeddings(frame, [[10, 20, 30, 70], [60, 20, 80, 70], [400, 0, 410, 9]])
    ]
    new = [
        _object(each) for each in embeddings(later, [[100, 30, 120, 80], [150, 30, 170, 80], [9, 9, 9, 9]])
    ]
    assert lost[2].last_detection.embedding is None
    assert _join(new, lost, 0.1) == {0: 1, 1: 0}
    assert _join(new, lost, 0.0) == {}  # the tracker's default


def test_distance_by_hand() -> None:
    right, up, left = np.array([2.0, 0.0]), np.array([0.0, 5.0]), np.array([-1.0, 0.0])
    assert norfair_distance(_object(right), _object(right)) == 0.0
    assert norfair_distance(_object(right), _object(up)) == pytest.approx(1.0)
    assert norfair_distance(_object(right), _object(left)) == pytest.approx(2.0)
    # the mean direction of right and up stands at 45 degrees, whatever their lengths
    assert norfair_distance(_object(right), _object(right, up)) == pytest.approx(1 - math.sqrt(0.5))
    assert norfair_distance(_object(right), _object(up, None)) == pytest.approx(1.0)


def test_the_last_detection_counts_once_whether_or_not_it_is_among_the_past() -> None:
    past, last = _Detection(np.array([1.0, 0.0])), _Detection(np.array([0.0, 1.0]))
    target = _object([1.0, 0.0])
    inside, outside = _Object(last, [past, last]), _Object(last, [past])
    assert norfair_distance(target, inside) == norfair_distance(target, outside)
    assert norfair_distance(target, _Object(last, [])) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "embeddings", [(None,), (None, None), (np.zeros(2),), (np.array([1.0, 0.0]), np.array([-1.0, 0.0]))]
)
def test_without_a_direction_the_distance_is_infinite(embeddings: tuple[Any, ...]) -> None:
    known = _object(np.array([1.0, 0.0]))
    assert norfair_distance(_object(*embeddings), known) == math.inf
    assert norfair_distance(known, _object(*embeddings)) == math.inf


def test_a_distance_is_symmetric_and_in_range() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        first, second = (
            _object(*rng.standard_normal((rng.integers(1, 5), 3)).astype(np.float32)) for _ in range(2)
        )
        distance = norfair_distance(first, second)
        assert 0 <= distance <= 2
        assert distance == pytest.approx(norfair_distance(second, first))


def test_a_broken_embedding_is_an_error() -> None:
    with pytest.raises(ValueError, match="the embedding of a detection holds NaN or infinity"):
        norfair_distance(_object([np.nan, 1.0]), _object([0.0, 1.0]))
