"""Features for the BoT-SORT of Ultralytics; nothing of it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class UltralyticsEncoder:
    """Stands where BOTSORT expects its encoder: `tracker.encoder = UltralyticsEncoder(extractor)`.

    A box with nothing of the frame in it gets zeros, which mean "no appearance" there. Versions that do not
    know this divide by the length and get NaN: filter such boxes before them.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor

    def __call__(self, img: Image8, dets: ArrayLike) -> list[Floats]:
        """Features of detections.

        Args:
            img: (H, W, 3) uint8 BGR.
            dets: (N, 4) centre, width, height; further columns (rotation, index) are ignored.

        Returns:
            N vectors (D,) in the order of the boxes, which the caller may divide in place.
        """
        return list(self._extractor.extract(img, dets, "cxcywh").features)
