"""Features for the original BoT-SORT; BoT-SORT itself is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class BotSortEncoder:
    """Replaces BoT-SORT's fast-reid interface: `tracker.encoder = BotSortEncoder(extractor)`.

    No feature is all zeros, because the tracker divides each feature by its norm, in place.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def inference(self, image: Image8, detections: ArrayLike) -> Floats:
        """Return features (N, D) of N detections (x1, y1, x2, y2; further columns ignored), in order."""
        return self._features.of_boxes(image, detections)
