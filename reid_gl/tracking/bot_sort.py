"""Features for the authors' BoT-SORT; nothing of it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class BotSortEncoder:
    """Stands where BoT-SORT expects its fast-reid interface: `tracker.encoder = BotSortEncoder(extractor)`.

    No row is zero: the tracker divides by its length, in place.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def inference(self, image: Image8, detections: ArrayLike) -> Floats:
        """Features (N, D) of N detections (x1, y1, x2, y2, more columns ignored), in their order."""
        return self._features.of_boxes(image, detections)
