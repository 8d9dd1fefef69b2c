"""Feature rows for trackers: one for each box, none of them all zeros."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_gl.data.loading.images import Image8

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

Floats = NDArray[np.float32]


class NonZeroFeatures:
    """Features for trackers that divide each row by its norm, which turns rows of zeros into NaN.

    A box entirely outside the frame gets the feature of a black image. Several threads may share one object.

    Args:
        extractor: built with the colour order of the frames.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor

    def of_boxes(self, frame: Image8, boxes: ArrayLike, box_format: str = "xyxy") -> Floats:
        """Return features (N, D) of N boxes of a frame, in order; arguments as FeatureExtractor.extract."""
        return self._fill(self._extractor.extract(frame, boxes, box_format).features)

    def of_crops(self, crops: Sequence[Image8]) -> Floats:
        """Return features (N, D) of N crops, in order; crops may be empty."""
        whole = [place for place, crop in enumerate(crops) if crop.size]
        features = np.zeros((len(crops), self._extractor.embedding_dim), np.float32)
        features[whole] = self._extractor([crops[place] for place in whole])
        return self._fill(features)

    def _fill(self, features: Floats) -> Floats:
        """Replace rows of zeros, in place; the caller must own the array."""
        is_zero = ~features.any(axis=1)
        if is_zero.any():
            features[is_zero] = self._stand_in
        return features

    @cached_property
    def _stand_in(self) -> Floats:
        black = self._extractor.embed_black()
        # a network may output zeros for a black image: use the direction with equal components instead
        return black if black.any() else np.full_like(black, len(black) ** -0.5)


def check_rows(rows: ArrayLike, features: ArrayLike) -> tuple[NDArray[np.float64], Floats]:
    """Check detections and their features before they are written for a tracker.

    Args:
        rows: (N, columns); the first column is the frame number, counted from 1.
        features: (N, D).

    Returns:
        Both as arrays.

    Raises:
        ValueError: a shape is wrong, a frame number is not a whole number from 1, a feature is all zeros, or
            a value is infinite or NaN.
    """
    table, values = np.asarray(rows, dtype=np.float64), np.asarray(features, dtype=np.float32)
    if table.ndim != 2 or values.ndim != 2 or len(table) != len(values):
        raise ValueError(
            f"rows and features must be (N, columns) and (N, D), got {table.shape} and {values.shape}"
        )
    frames = table[:, :1]
    _refuse((frames < 1) | (frames % 1 != 0), "has no frame number: frames are counted 1, 2, ...")
    _refuse(~np.isfinite(table), "is not finite: leave the detection out")
    _refuse(~np.isfinite(values), "has a feature that is not finite")
    is_zero = np.asarray(np.all(values == 0, axis=1, keepdims=True))
    _refuse(is_zero, "has a feature of zeros, which trackers divide by: give it embed_black()")
    return table, values


def _refuse(is_bad: NDArray[np.bool_], why: str) -> None:
    bad = np.flatnonzero(is_bad.any(axis=1))
    if len(bad):
        raise ValueError(f"row {bad[0]} {why} ({len(bad)} such rows)")
