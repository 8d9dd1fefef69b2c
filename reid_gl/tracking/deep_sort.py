"""Features for nwojke's deep_sort; deep_sort itself is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class DeepSortEncoder:
    """Replaces the encoder that deep_sort's create_box_encoder returns.

    It differs from deep_sort's encoder in two ways. The crop is exactly the box; deep_sort widens or narrows
    the box to the aspect ratio of the network's input, which includes background. A box outside the frame
    gets the feature of a black image; deep_sort uses random noise. No feature is all zeros, because the
    tracker divides each feature by its norm.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def __call__(self, image: Image8, boxes: ArrayLike) -> Floats:
        """Return features (N, D) float32 of N boxes (left, top, width, height) of a frame, in order."""
        return self._features.of_boxes(image, boxes, "tlwh")
