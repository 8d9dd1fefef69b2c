"""Features for BoxMOT, versions 10 to 25; nothing of it is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

CORNER_COLUMNS = (4, 6)  # corners; corners, confidence and class. Oriented boxes have 5 and 7.


class BoxmotFrame(Protocol):
    """What is read of BoxMOT's frame."""

    image: torch.Tensor
    """(3, H, W) uint8 RGB."""


class BoxmotDetections(Protocol):
    """What is read of BoxMOT's detections."""

    geometry: Any
    """With values (N, 4), corners; oriented boxes have (N, 5)."""


class BoxmotFeatures:
    """Stands where BoxMOT expects a re-identification model.

    Up to version 16, `tracker.model = BoxmotFeatures(extractor)`; from 17, `reid_model=` of a tracker, or
    `reid=` of a pipeline, which calls the object or, from 25, its `encode`. No row is zero: BoxMOT divides by
    its length.

    Args:
        extractor: built with color_order="bgr".
        requirements: for pipelines of version 25, which want an object of their own class:
            `boxmot.reid.protocols.EncoderRequirements()`.

    Attributes:
        embedding_dim: D.
        requirements: as given.
        input_shape: (height, width) of the network's input.
        device: where the network computes.
    """

    def __init__(self, extractor: FeatureExtractor, *, requirements: object = None) -> None:
        self._features = NonZeroFeatures(extractor)
        self.requirements = requirements
        self.embedding_dim = extractor.embedding_dim
        self.input_shape = extractor.input_size
        self.device = extractor.device

    @property
    def model(self) -> BoxmotFeatures:
        """The object itself: up to version 16, trackers ask a backend for its model."""
        return self

    def get_features(self, boxes: ArrayLike, image: Image8) -> Floats:
        """Features of the boxes of a frame, each cut without a margin.

        Args:
            boxes: (N, 4) x1, y1, x2, y2, or (N, 6) with confidence and class.
            image: (H, W, 3) uint8 BGR, a frame or a mosaic of crops.

        Returns:
            (N, D) float32 in the order of the boxes.

        Raises:
            ValueError: oriented boxes (5 or 7 columns), which no upright crop fits.
        """
        shape = np.shape(boxes)
        if len(shape) == 2 and shape[0] and shape[1] not in CORNER_COLUMNS:
            raise ValueError(
                f"boxes must be (N, 4) corners or (N, 6) detections, got {shape}; oriented boxes have no "
                "re-identification features: turn appearance off for them"
            )
        return self._features.of_boxes(image, boxes)

    def encode(
        self, frames: Sequence[BoxmotFrame], detections: Sequence[BoxmotDetections]
    ) -> list[torch.Tensor]:
        """Features of the detections of several frames, as pipelines of version 25 ask for them.

        Args:
            frames: with an `image` (3, H, W) uint8 RGB each.
            detections: one for each frame, with boxes `geometry.values` (N, 4).

        Returns:
            (N, D) float32 on the CPU for each frame.

        Raises:
            ValueError: oriented boxes, or frames and detections that differ in number.
        """
        return [
            torch.from_numpy(self.get_features(found.geometry.values, _as_bgr(frame.image)))
            for frame, found in zip(frames, detections, strict=True)
        ]

    def __call__(self, inputs: Image8 | Sequence[Image8], boxes: ArrayLike | None = None) -> Floats:
        """Features of the boxes of a frame, as get_features; without boxes, of pictures, one or several."""
        if boxes is not None:
            return self.get_features(boxes, np.asarray(inputs))
        is_one = isinstance(inputs, np.ndarray) and inputs.ndim < 4
        return self._features.of_crops([inputs] if is_one else list(inputs))  # type: ignore[list-item]


def _as_bgr(image: torch.Tensor) -> Image8:
    """(H, W, 3) of (3, H, W) RGB."""
    return np.ascontiguousarray(image.flip(0).permute(1, 2, 0).cpu().numpy())
