"""Features for Deep-OC-SORT; nothing of it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class DeepOcSortEmbedder:
    """Stands where Deep-OC-SORT expects its computer of embeddings: `tracker.embedder = ...`.

    No row is zero: the tracker divides by its length. Nothing is cached: a cache by video and frame gives
    old features for a changed detector.

    Args:
        extractor: built with color_order="bgr".
        grid_off: as the tracker has it. False, the default of its class, describes a box by several parts:
            it gets the whole box as its only part.
    """

    def __init__(self, extractor: FeatureExtractor, *, grid_off: bool = True) -> None:
        self._features = NonZeroFeatures(extractor)
        self._grid_off = grid_off

    def compute_embedding(self, img: Image8, bbox: ArrayLike, tag: str) -> Floats:
        """Features of boxes.

        Args:
            img: (H, W, 3) uint8 BGR.
            bbox: (N, 4) x1, y1, x2, y2.
            tag: "video:frame", which is not needed.

        Returns:
            (N, D) in the order of the boxes; (N, 1, D) unless grid_off.
        """
        features = self._features.of_boxes(img, bbox)
        return features if self._grid_off else features[:, None]

    def dump_cache(self) -> None:
        """Do nothing; the tracker calls this at the end of a video."""
