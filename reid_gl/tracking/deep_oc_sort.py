"""Features for Deep-OC-SORT; Deep-OC-SORT itself is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class DeepOcSortEmbedder:
    """Replaces Deep-OC-SORT's embedder: `tracker.embedder = DeepOcSortEmbedder(extractor)`.

    No feature is all zeros, because the tracker divides each feature by its norm. Nothing is cached: a cache
    keyed by video and frame would return outdated features after the detector changes.

    Args:
        extractor: built with color_order="bgr".
        grid_off: must equal the tracker's grid_off. With False, the default of the tracker's class, the
            tracker expects several parts for each box; it gets the whole box as the only part.
    """

    def __init__(self, extractor: FeatureExtractor, *, grid_off: bool = True) -> None:
        self._features = NonZeroFeatures(extractor)
        self._grid_off = grid_off

    def compute_embedding(self, img: Image8, bbox: ArrayLike, tag: str) -> Floats:
        """Return features of boxes.

        Args:
            img: (H, W, 3) uint8 BGR.
            bbox: (N, 4) x1, y1, x2, y2.
            tag: "video:frame", not used.

        Returns:
            (N, D) in the order of the boxes; (N, 1, D) unless grid_off.
        """
        features = self._features.of_boxes(img, bbox)
        return features if self._grid_off else features[:, None]

    def dump_cache(self) -> None:
        """Do nothing; the tracker calls this at the end of a video."""
