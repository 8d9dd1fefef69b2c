"""Features for motpy; nothing of it is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


SAME_BOX = 1e-3
"""Pixels that the box of a new track may be off its detection's: rounding of the motion model."""


class MotpyTracker(Protocol):
    """What is read of motpy's MultiObjectTracker."""

    trackers: list[Any]

    def step(self, detections: Any) -> list[Any]:  # noqa: ANN401
        """Match detections, and return the tracks."""


class MotpyFeatures:
    """Features for `Detection(box, score, feature=...)`.

    They count only in a tracker built with `matching_fn_kwargs={"feature_similarity_beta": ...}`. No row is
    zero, which would make the tracker's cosine NaN, nor missing: one detection, or one track, without a
    feature makes motpy ignore those of its whole frame. New tracks have none until they are matched again,
    so let `step` hand them their detection's.

    Args:
        extractor: built with the colour order of the frames.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def __call__(self, frame: Image8, boxes: ArrayLike) -> Floats:
        """Features (N, D) of N boxes (x1, y1, x2, y2) of a frame, in their order."""
        return self._features.of_boxes(frame, boxes)

    def step(self, tracker: MotpyTracker, detections: Sequence[Any]) -> list[Any]:
        """As tracker.step(detections), after which each new track has the feature of its detection.

        Args:
            tracker: motpy's MultiObjectTracker.
            detections: of one frame, with their features.

        Returns:
            What the tracker returns.
        """
        tracks = tracker.step(detections)
        free = [one for one in detections if one.box is not None and one.feature is not None]
        for track in tracker.trackers:
            if track.feature is not None or not free:
                continue
            box = np.asarray(track.box())
            distances = [np.abs(np.asarray(one.box) - box).max() for one in free]
            nearest = int(np.argmin(distances))
            if distances[nearest] <= SAME_BOX:
                track.feature = free.pop(nearest).feature
        return tracks
