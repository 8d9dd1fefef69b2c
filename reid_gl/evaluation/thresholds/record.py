"""The record of a calibration: distance thresholds for false accept rates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from reid_gl.untrusted.json_files import what_is_wrong

NUMBERS = (
    *("equal_error_rate", "num_identities", "num_same", "num_different"),
    *("mean_cosine_same", "mean_cosine_different"),
)
LARGEST = 1e18
"""Largest number in a calibration."""
COLLAPSED = 0.9
"""Above this mean cosine of impostor pairs, direction hardly tells people apart."""


@dataclass(frozen=True)
class CalibratedPoint:
    """The threshold for one false accept rate.

    Attributes:
        false_accept_rate: the requested rate, in (0, 1).
        threshold: largest cosine distance at which a pair is accepted.
        interval: 95 % bootstrap interval of the threshold, resampling identities.
        true_accept_rate: share of genuine pairs (one person) that are accepted.
    """

    false_accept_rate: float
    threshold: float
    interval: tuple[float, float]
    true_accept_rate: float


@dataclass(frozen=True)
class CalibratedCameras:
    """Thresholds between two cameras.

    Attributes:
        query_camid: camera of one image.
        gallery_camid: camera of the other image.
        points: the rates that could be calibrated, at least one.
        equal_error_rate: as in Calibration.
        num_same: number of genuine pairs.
        num_different: number of impostor pairs (two people).
    """

    query_camid: int
    gallery_camid: int
    points: tuple[CalibratedPoint, ...]
    equal_error_rate: float
    num_same: int
    num_different: int


@dataclass(frozen=True)
class Calibration:
    """Cosine distances of genuine and impostor pairs, and the thresholds that separate them.

    Attributes:
        source: describes the images it was measured on.
        points: the rates that could be calibrated, in the requested order.
        missing: requested rates that could not be calibrated, each with the reason.
        camera_pairs: thresholds for pairs of cameras with enough data.
        equal_error_rate: error rate at which false accepts are as frequent as false rejects.
        num_identities: number of people in the pairs.
        num_same: number of genuine pairs (one person), without pairs in one camera.
        num_different: number of impostor pairs (two people).
        mean_cosine_same: mean cosine similarity of genuine pairs.
        mean_cosine_different: mean cosine similarity of impostor pairs.
        histogram_same: counts of genuine pairs in bins of equal width from distance 0 to 2.
        histogram_different: counts of impostor pairs in the same bins.
        roc: (threshold, false accept rate, true accept rate), ascending.
    """

    source: str
    points: tuple[CalibratedPoint, ...]
    missing: tuple[tuple[float, str], ...]
    camera_pairs: tuple[CalibratedCameras, ...]
    equal_error_rate: float
    num_identities: int
    num_same: int
    num_different: int
    mean_cosine_same: float
    mean_cosine_different: float
    histogram_same: tuple[int, ...]
    histogram_different: tuple[int, ...]
    roc: tuple[tuple[float, float, float], ...]

    @property
    def collapse(self) -> str:
        """Explains collapsed features and what to do about them; "" if features are not collapsed."""
        if self.mean_cosine_different <= COLLAPSED:
            return ""
        return (
            f"the features have collapsed: two different people have a mean cosine of "
            f"{self.mean_cosine_different:.3f} (more than {COLLAPSED}), the same person one of "
            f"{self.mean_cosine_same:.3f}. All of them share one direction, so thresholds lie close to 0 and "
            "other images, lower precision or another export can flip decisions. Check that the trained "
            "weights are loaded and that size, normalisation and colour order match training; compare "
            "features after the neck (TEST.FEATURE after_neck), which removes the shared direction; "
            "otherwise train longer, with a lower learning rate or with a loss that separates people more"
        )

    def threshold(
        self, far: float, query_camid: int | None = None, gallery_camid: int | None = None
    ) -> float:
        """Largest cosine distance at which two images are taken to show one person.

        Args:
            far: false accept rate, one of the calibrated rates.
            query_camid: camera of one image, given together with gallery_camid.
            gallery_camid: camera of the other image. If this rate was not calibrated for the two cameras, in
                either order, the threshold over all cameras applies.

        Raises:
            ValueError: the rate was not calibrated, or only one camera is given.
        """
        if (query_camid is None) != (gallery_camid is None):
            raise ValueError(
                "give query_camid and gallery_camid, or neither: one camera alone has no meaning"
            )
        found = _find(self.points, far)
        if found is None:
            rates = ", ".join(f"{point.false_accept_rate:g}" for point in self.points)
            raise ValueError(
                f"no threshold for a false accept rate of {far:g}: {self.source} was calibrated for {rates}"
                f"{self._why_not(far)}"
            )
        for cameras in ((query_camid, gallery_camid), (gallery_camid, query_camid)):
            for pair in self.camera_pairs:
                special = _find(pair.points, far)
                if cameras == (pair.query_camid, pair.gallery_camid) and special is not None:
                    return special.threshold
        return found.threshold

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries, for JSON and checkpoints."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return {**plain, "collapse": self.collapse}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Rebuild a calibration from the output of to_dict.

        Raises:
            ValueError: the values are not such an output.
        """
        try:
            fields = {name: value for name, value in values.items() if name != "collapse"}
            cameras = [{**pair, "points": _read_points(pair["points"])} for pair in fields["camera_pairs"]]
            fields["points"] = _read_points(fields["points"])
            fields["camera_pairs"] = tuple(CalibratedCameras(**pair) for pair in cameras)
            for name in ("missing", "roc"):
                fields[name] = tuple(tuple(row) for row in fields[name])
            for name in ("histogram_same", "histogram_different"):
                fields[name] = tuple(fields[name])
            found = cls(**fields)
            _check_types(found)
            return found
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = what_is_wrong(error)
            raise ValueError(
                f"no calibration that this version reads ({reason}): make it again with reid-gl calibrate"
            ) from None

    def _why_not(self, far: float) -> str:
        reasons = [reason for rate, reason in self.missing if math.isclose(rate, far)]
        return f" ({reasons[0]})" if reasons else ""


def _check_types(found: Calibration) -> None:
    """Raise ValueError unless texts are texts, and numbers finite numbers."""
    pairs = found.camera_pairs
    points = [*found.points, *(point for pair in pairs for point in pair.points)]
    numbers: list[Any] = [rate for rate, _ in found.missing]
    numbers += [getattr(found, name) for name in NUMBERS]
    numbers += [
        *found.histogram_same,
        *found.histogram_different,
        *(value for row in found.roc for value in row),
    ]
    for point in points:
        low, high = point.interval
        numbers += [point.false_accept_rate, point.threshold, low, high, point.true_accept_rate]
    for pair in pairs:
        numbers += [pair.query_camid, pair.gallery_camid, pair.equal_error_rate]
    wrong = [value for value in numbers if not isinstance(value, int | float) or not abs(value) <= LARGEST]
    texts = [found.source, *(reason for _, reason in found.missing)]
    if wrong or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{wrong[0] if wrong else texts!r} is of another kind than expected")
    if {len(row) for row in found.roc} - {3} or len(found.histogram_same) != len(found.histogram_different):
        raise ValueError("its curves have other lengths than expected")


def _find(points: tuple[CalibratedPoint, ...], far: float) -> CalibratedPoint | None:
    return next((point for point in points if math.isclose(point.false_accept_rate, far)), None)


def _read_points(rows: list[dict[str, Any]]) -> tuple[CalibratedPoint, ...]:
    return tuple(CalibratedPoint(**{**row, "interval": tuple(row["interval"])}) for row in rows)
