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
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def compute_embedding(self, img: Image8, bbox: ArrayLike, tag: str) -> Floats:
        """Features (N, D) of N boxes (x1, y1, x2, y2) in their order; tag, "video:frame", is not needed."""
        return self._features.of_boxes(img, bbox)

    def dump_cache(self) -> None:
        """Do nothing; the tracker calls this at the end of a video."""
