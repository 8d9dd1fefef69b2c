"""Features for Ultralytics' BoT-SORT, Deep-OC-SORT and TrackTrack; Ultralytics is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.inference.extractor.crops import as_corners
from reid_gl.tracking.rows import Floats

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


MARGIN_SHARE, MARGIN_PIXELS = 1.02, 10
"""Ultralytics' encoder multiplies the box's width and height by the first and adds the second in pixels."""
MODEL_NAME = "reid_gl"


class UltralyticsEncoder:
    """Replaces the encoder of Ultralytics' trackers.

    Install it with `UltralyticsEncoder(extractor).attach(tracker)`. Assigning it is not enough: from 8.4.100
    on, a tracker with `args.model` "auto" never calls an encoder that was only assigned. A box entirely
    outside the frame gets zeros, which Ultralytics takes as "no appearance". Older versions divide by the
    norm and get NaN: remove such boxes before you call them.

    Args:
        extractor: built with color_order="bgr".
        margin: enlarge each box by 2 % and 10 pixels, as Ultralytics' encoder does. A network that was
            trained on such crops may need this. By default the crop is the box.
    """

    def __init__(self, extractor: FeatureExtractor, *, margin: bool = False) -> None:
        self._extractor = extractor
        self._margin = margin

    def attach(self, tracker: Any) -> None:  # noqa: ANN401 - any of the three
        """Make a tracker use this encoder.

        Args:
            tracker: one of `predictor.trackers`; it must have `args` and `encoder`.

        Raises:
            TypeError: the tracker uses no appearance, as ByteTrack.
        """
        if not hasattr(tracker, "encoder"):
            raise TypeError(
                f"{type(tracker).__name__} uses no appearance: expected a tracker with an encoder, that is "
                "tracker=botsort.yaml, deepocsort.yaml or tracktrack.yaml"
            )
        tracker.args.with_reid, tracker.args.model = True, MODEL_NAME
        tracker.encoder = self

    def __call__(self, img: Image8, dets: ArrayLike) -> list[Floats]:
        """Return features of detections.

        Args:
            img: (H, W, 3) uint8 BGR.
            dets: (N, 4) centre x, centre y, width, height; further columns (rotation, index) are ignored.

        Returns:
            N vectors (D,) in the order of the boxes; the caller may modify them in place.
        """
        corners = as_corners(dets, "cxcywh")
        if self._margin:
            sizes = corners[:, 2:] - corners[:, :2]
            beyond = (sizes * (MARGIN_SHARE - 1) + MARGIN_PIXELS) / 2
            corners += np.concatenate([-beyond, beyond], axis=1)
        return list(self._extractor.extract(img, corners).features)
