"""Features for BoxMOT, versions 10 to 25; BoxMOT itself is not imported."""

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

CORNER_COLUMNS = (4, 6)  # corners only, or corners, confidence and class. Oriented boxes have 5 or 7.


class BoxmotFrame(Protocol):
    """The part of BoxMOT's frame that this adapter reads."""

    image: torch.Tensor
    """(3, H, W) uint8 RGB."""


class BoxmotDetections(Protocol):
    """The part of BoxMOT's detections that this adapter reads."""

    geometry: Any
    """Its `values` are corners (N, 4); those of oriented boxes are (N, 5)."""


class BoxmotFeatures:
    """Replaces BoxMOT's re-identification model.

    Up to version 16, assign it: `tracker.model = BoxmotFeatures(extractor)`. From version 17 on, pass it as
    `reid_model=` of a tracker or `reid=` of a pipeline. Pipelines call the object, or from version 25 on its
    `encode`. No feature is all zeros, because BoxMOT divides each feature by its norm.

    Args:
        extractor: built with color_order="bgr".
        requirements: only for pipelines of version 25, which require an instance of their own class:
            `boxmot.reid.protocols.EncoderRequirements()`.

    Attributes:
        embedding_dim: D.
        requirements: the argument, unchanged.
        input_shape: (height, width) of the network's input.
        device: device that the network runs on.
    """

    def __init__(self, extractor: FeatureExtractor, *, requirements: object = None) -> None:
        self._features = NonZeroFeatures(extractor)
        self.requirements = requirements
        self.embedding_dim = extractor.embedding_dim
        self.input_shape = extractor.input_size
        self.device = extractor.device

    @property
    def model(self) -> BoxmotFeatures:
        """This object. Up to version 16, trackers read the attribute `model` of a backend."""
        return self

    def get_features(self, boxes: ArrayLike, image: Image8) -> Floats:
        """Return features of the boxes of a frame, each cropped without a margin.

        Args:
            boxes: (N, 4) x1, y1, x2, y2, or (N, 6) with confidence and class.
            image: (H, W, 3) uint8 BGR, a frame or a mosaic of crops.

        Returns:
            (N, D) float32 in the order of the boxes.

        Raises:
            ValueError: the boxes are oriented (5 or 7 columns); an upright crop cannot represent them.
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
        """Return features of the detections of several frames, as pipelines of version 25 request them.

        Args:
            frames: each has an `image` (3, H, W) uint8 RGB.
            detections: one for each frame, with boxes `geometry.values` (N, 4).

        Returns:
            (N, D) float32 on the CPU for each frame.

        Raises:
            ValueError: the boxes are oriented, or the numbers of frames and detections differ.
        """
        return [
            torch.from_numpy(self.get_features(found.geometry.values, _as_bgr(frame.image)))
            for frame, found in zip(frames, detections, strict=True)
        ]

    def __call__(self, inputs: Image8 | Sequence[Image8], boxes: ArrayLike | None = None) -> Floats:
        """Return features of the boxes of a frame, as get_features; without boxes, of one or more images."""
        if boxes is not None:
            return self.get_features(boxes, np.asarray(inputs))
        is_one = isinstance(inputs, np.ndarray) and inputs.ndim < 4
        return self._features.of_crops([inputs] if is_one else list(inputs))  # type: ignore[list-item]


def _as_bgr(image: torch.Tensor) -> Image8:
    """Convert an RGB tensor (3, H, W) to a BGR array (H, W, 3)."""
    return np.ascontiguousarray(image.flip(0).permute(1, 2, 0).cpu().numpy())
