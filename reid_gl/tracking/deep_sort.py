"""Features for nwojke's deep_sort; nothing of it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class DeepSortEncoder:
    """Stands where deep_sort expects what its create_box_encoder makes.

    Differences from it: the crop is exactly the box, where deep_sort widens or narrows it to the shape of
    the network's input and so takes in what stands beside; and a box outside the frame gets the feature of a
    black picture, where deep_sort describes random noise. No row is zero: the tracker divides by its length.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def __call__(self, image: Image8, boxes: ArrayLike) -> Floats:
        """Features (N, D) float32 of N boxes (left, top, width, height) of a frame, in their order."""
        return self._features.of_boxes(image, boxes, "tlwh")
