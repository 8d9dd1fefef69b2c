"""Features for BoT-SORT, Deep-OC-SORT and TrackTrack of Ultralytics; nothing of it is imported."""

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
"""The encoder of Ultralytics cuts boxes this much times and so many pixels wider and taller."""
MODEL_NAME = "reid_gl"


class UltralyticsEncoder:
    """Stands where trackers of Ultralytics expect their encoder.

    `UltralyticsEncoder(extractor).attach(tracker)` puts it there: from 8.4.100 on, a tracker whose
    `args.model` is "auto" never calls an encoder that was only assigned. A box with nothing of the frame in
    it gets zeros, which mean "no appearance" there. Versions that do not know this divide by the length and
    get NaN: filter such boxes before them.

    Args:
        extractor: built with color_order="bgr".
        margin: cut boxes wider and taller as the encoder of Ultralytics does, by 2 % and 10 pixels, which a
            network that was trained on its crops may expect; by default the crop is the box.
    """

    def __init__(self, extractor: FeatureExtractor, *, margin: bool = False) -> None:
        self._extractor = extractor
        self._margin = margin

    def attach(self, tracker: Any) -> None:  # noqa: ANN401 - any of the three
        """Make a tracker use this encoder.

        Args:
            tracker: with `args` and `encoder`, one of `predictor.trackers`.

        Raises:
            TypeError: a tracker that uses no appearance, such as ByteTrack.
        """
        if not hasattr(tracker, "encoder"):
            raise TypeError(
                f"{type(tracker).__name__} uses no appearance: expected a tracker with an encoder, that is "
                "tracker=botsort.yaml, deepocsort.yaml or tracktrack.yaml"
            )
        tracker.args.with_reid, tracker.args.model = True, MODEL_NAME
        tracker.encoder = self

    def __call__(self, img: Image8, dets: ArrayLike) -> list[Floats]:
        """Features of detections.

        Args:
            img: (H, W, 3) uint8 BGR.
            dets: (N, 4) centre, width, height; further columns (rotation, index) are ignored.

        Returns:
            N vectors (D,) in the order of the boxes, which the caller may divide in place.
        """
        corners = as_corners(dets, "cxcywh")
        if self._margin:
            sizes = corners[:, 2:] - corners[:, :2]
            beyond = (sizes * (MARGIN_SHARE - 1) + MARGIN_PIXELS) / 2
            corners += np.concatenate([-beyond, beyond], axis=1)
        return list(self._extractor.extract(img, corners).features)
