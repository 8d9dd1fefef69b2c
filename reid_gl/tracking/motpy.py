"""Features for motpy; motpy itself is not imported."""

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
"""Largest difference in pixels between a new track's box and its detection's: the motion model rounds."""


class MotpyTracker(Protocol):
    """The part of motpy's MultiObjectTracker that this adapter uses."""

    trackers: list[Any]

    def step(self, detections: Any) -> list[Any]:  # noqa: ANN401
        """Match the detections to tracks and return the tracks."""


class MotpyFeatures:
    """Features for `Detection(box, score, feature=...)`.

    The tracker uses features only if it was built with `matching_fn_kwargs={"feature_similarity_beta": ...}`.
    No feature is all zeros, which would make the tracker's cosine NaN. No feature is missing either: if one
    detection or one track has no feature, motpy ignores all features of that frame. motpy gives a new track
    no feature until it is matched again; call `step`, which assigns it the feature of its detection.

    Args:
        extractor: built with the colour order of the frames.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def __call__(self, frame: Image8, boxes: ArrayLike) -> Floats:
        """Return features (N, D) of N boxes (x1, y1, x2, y2) of a frame, in order."""
        return self._features.of_boxes(frame, boxes)

    def step(self, tracker: MotpyTracker, detections: Sequence[Any]) -> list[Any]:
        """Run tracker.step(detections), then give each new track the feature of its detection.

        Args:
            tracker: motpy's MultiObjectTracker.
            detections: of one frame, with their features.

        Returns:
            The tracks that tracker.step returns.
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
