"""Features and a distance function for norfair; norfair itself is not imported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class NorfairObject(Protocol):
    """The part of a tracked object that the distance reads: detections, each with an embedding or None."""

    last_detection: Any
    past_detections: list[Any]


class NorfairEmbeddings:
    """Features for `Detection(points, embedding=...)`.

    Args:
        extractor: built with the colour order of the frames.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor

    def __call__(self, frame: Image8, boxes: ArrayLike) -> list[Floats | None]:
        """Return a vector (D,) for each box (x1, y1, x2, y2); None for a box outside the frame."""
        features, valid = self._extractor.extract(frame, boxes)
        return [row if is_valid else None for row, is_valid in zip(features, valid, strict=True)]


def norfair_distance(candidate: NorfairObject, known: NorfairObject) -> float:
    """Return the cosine distance between the mean feature directions of two objects.

    Use it as `Tracker(reid_distance_function=norfair_distance, reid_distance_threshold=...)`; norfair's
    default threshold 0 merges nothing. norfair's `past_detections_length` sets how many past detections
    enter the mean.

    Args:
        candidate: an object that has just appeared.
        known: a lost object.

    Returns:
        A number in [0, 2], 0 for the same direction. Infinity, which norfair never merges, if one of the
        objects has no embedding or its embeddings cancel out. Never NaN.

    Raises:
        ValueError: an embedding is not finite.
    """
    ours, theirs = _mean_direction(candidate), _mean_direction(known)
    if ours is None or theirs is None:
        return math.inf
    return float(np.clip(1.0 - ours @ theirs, 0.0, 2.0))


def _mean_direction(tracked: NorfairObject) -> NDArray[np.float64] | None:
    detections = {id(each): each for each in (*tracked.past_detections, tracked.last_detection)}
    vectors = [each.embedding for each in detections.values() if each.embedding is not None]
    directions = [direction for vector in vectors if (direction := _direction(vector)) is not None]
    return _direction(np.mean(directions, axis=0)) if directions else None


def _direction(vector: ArrayLike) -> NDArray[np.float64] | None:
    """Scale a vector to norm 1; None if its norm is zero."""
    exact = np.asarray(vector, dtype=np.float64).ravel()
    if not np.isfinite(exact).all():
        raise ValueError("the embedding of a detection holds NaN or infinity: make it None if there is none")
    length = np.linalg.norm(exact)
    return exact / length if length > 1e-12 else None
