"""Features for Roboflow's trackers and supervision; neither is imported."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class Detections(Protocol):
    """The part of supervision's detections that this adapter reads."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    xyxy: ArrayLike
    data: dict[str, Any]


AnyDetections = TypeVar("AnyDetections", bound=Detections)


class RoboflowExtractor:
    """Replaces the feature extractor or re-identification encoder of Roboflow's trackers.

    It has the methods that all of these trackers call, and the method of `reid`'s ReIDModel. No feature is
    all zeros, because the trackers compare features by cosine.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def extract_features(self, first: Image8 | Detections, second: Image8 | Detections) -> Floats:
        """Return features of detections.

        Args:
            first: the frame (H, W, 3) uint8 BGR or the detections; the order differs between versions.
            second: the other one.

        Returns:
            (N, D) float32 in the order of the detections.

        Raises:
            TypeError: not exactly one of the two has boxes `xyxy`.
        """
        if hasattr(first, "xyxy") == hasattr(second, "xyxy"):
            raise TypeError(
                "one argument must be a frame and the other detections with boxes xyxy, "
                f"got {type(first).__name__} and {type(second).__name__}"
            )
        frame, detections = (second, first) if hasattr(first, "xyxy") else (first, second)
        return self._features.of_boxes(frame, detections.xyxy)  # type: ignore[arg-type]

    def extract_embeddings(self, detections: Detections, frame: Image8) -> Floats:
        """Do what `reid`'s method does, but return features of norm 1, and (0, D) without detections."""
        return self.extract_features(detections, frame)

    def with_embeddings(self, detections: AnyDetections, frame: Image8) -> AnyDetections:
        """Return a copy of the detections with features (N, D) as data["embedding"].

        supervision filters this entry together with the boxes.
        """
        data = {**detections.data, "embedding": self.extract_features(frame, detections)}
        return dataclasses.replace(detections, data=data)
