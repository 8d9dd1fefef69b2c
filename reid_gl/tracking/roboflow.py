"""Features for Roboflow's trackers and supervision; nothing of them is imported."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from numpy.typing import ArrayLike

from reid_gl.data.loading.images import Image8
from reid_gl.tracking.rows import Floats, NonZeroFeatures

if TYPE_CHECKING:
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class Detections(Protocol):
    """What is read of supervision's detections."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    xyxy: ArrayLike
    data: dict[str, Any]


AnyDetections = TypeVar("AnyDetections", bound=Detections)


class RoboflowExtractor:
    """Stands where Roboflow's trackers expect a feature extractor or re-identification encoder.

    It has the methods of all of them, and that of `reid`'s ReIDModel. No row is zero: they compare by cosine.

    Args:
        extractor: built with color_order="bgr".
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._features = NonZeroFeatures(extractor)

    def extract_features(self, first: Image8 | Detections, second: Image8 | Detections) -> Floats:
        """Features of detections.

        Args:
            first: the frame (H, W, 3) uint8 BGR or the detections; versions differ in the order.
            second: the other one.

        Returns:
            (N, D) float32 in the order of the detections.

        Raises:
            TypeError: neither of the two has boxes `xyxy`, or both.
        """
        if hasattr(first, "xyxy") == hasattr(second, "xyxy"):
            raise TypeError(
                "one argument must be a frame and the other detections with boxes xyxy, "
                f"got {type(first).__name__} and {type(second).__name__}"
            )
        frame, detections = (second, first) if hasattr(first, "xyxy") else (first, second)
        return self._features.of_boxes(frame, detections.xyxy)  # type: ignore[arg-type]

    def extract_embeddings(self, detections: Detections, frame: Image8) -> Floats:
        """As `reid` has it, but rows have length one, and no detections give (0, D)."""
        return self.extract_features(detections, frame)

    def with_embeddings(self, detections: AnyDetections, frame: Image8) -> AnyDetections:
        """The same detections with their features (N, D) as data["embedding"], filtered with the rest."""
        data = {**detections.data, "embedding": self.extract_features(frame, detections)}
        return dataclasses.replace(detections, data=data)
