"""Features for motpy; nothing of it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class MotpyFeatures:
    """Features for `Detection(box, score, feature=...)`.

    They count only in a tracker built with `matching_fn_kwargs={"feature_similarity_beta": ...}`. No row is
    zero, which would make the tracker's cosine NaN, nor missing: one detection without a feature makes motpy
    ignore those of its whole frame.

    Args:
        extractor: built with the colour order of the frames.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def __call__(self, frame: Image8, boxes: ArrayLike) -> Floats:
        """Features (N, D) of N boxes (x1, y1, x2, y2) of a frame, in their order."""
        return self._features.of_boxes(frame, boxes)
