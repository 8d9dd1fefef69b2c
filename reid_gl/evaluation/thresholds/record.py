"""Up to which distance two pictures show one person: thresholds for accept rates, as a record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COLLAPSED = 0.9
"""Different people with a larger mean cosine than this are hardly told apart by direction."""


@dataclass(frozen=True)
class CalibratedPoint:
    """The threshold of one false accept rate.

    Attributes:
        false_accept_rate: that was asked for, in (0, 1).
        threshold: cosine distance up to which pairs are accepted.
        interval: what 95 % of the thresholds lie in that redrawn people give.
        true_accept_rate: share of pairs of one person that are accepted.
    """

    false_accept_rate: float
    threshold: float
    interval: tuple[float, float]
    true_accept_rate: float


@dataclass(frozen=True)
class CalibratedCameras:
    """Thresholds between two cameras.

    Attributes:
        query_camid: camera of one picture.
        gallery_camid: camera of the other.
        points: the rates that could be calibrated, one at least.
        equal_error_rate: as Calibration.
        num_same: pairs of one person.
        num_different: pairs of two people.
    """

    query_camid: int
    gallery_camid: int
    points: tuple[CalibratedPoint, ...]
    equal_error_rate: float
    num_same: int
    num_different: int


@dataclass(frozen=True)
class Calibration:
    """How far apart features of one person and of two people are, by cosine distance, and where to part them.

    Attributes:
        source: the pictures it was made from.
        points: the rates that could be calibrated, in the order asked.
        missing: rates that were asked for and could not, and why.
        camera_pairs: the same for pairs of cameras, where there is enough.
        equal_error_rate: where false accepts are as frequent as misses.
        num_identities: people the pairs come from.
        num_same: pairs of one person, not counting those in one camera.
        num_different: pairs of two people.
        mean_cosine_same: mean cosine of the former.
        mean_cosine_different: mean cosine of the latter.
        histogram_same: the former in bins of equal width from distance 0 to 2.
        histogram_different: the latter in the same bins.
        roc: thresholds, false and true accept rates, ascending.
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
        """What is wrong if all features point nearly the same way, and what to do; "" if they do not."""
        if self.mean_cosine_different <= COLLAPSED:
            return ""
        return (
            f"the features have collapsed: two different people have a mean cosine of "
            f"{self.mean_cosine_different:.3f} (more than {COLLAPSED}), the same person one of "
            f"{self.mean_cosine_same:.3f}. All of them share one direction, so thresholds lie close to 0 and "
            "other pictures, lower precision or another export can turn decisions over. Check that the "
            "trained weights are loaded and that size, normalisation and colour order are those of training; "
            "compare after the neck (TEST.FEATURE after_neck), whose normalisation removes what is common to "
            "all; else train longer, with a lower learning rate or a loss that parts different people"
        )

    def threshold(
        self, far: float, query_camid: int | None = None, gallery_camid: int | None = None
    ) -> float:
        """Cosine distance up to which two pictures show one person, at a false accept rate.

        Args:
            far: one of the calibrated rates.
            query_camid: camera of one picture, with gallery_camid.
            gallery_camid: camera of the other; where the two were not calibrated for this rate in either
                order, the threshold over all cameras holds.

        Raises:
            ValueError: a rate that was not calibrated, or one camera alone.
        """
        if (query_camid is None) != (gallery_camid is None):
            raise ValueError(
                "give query_camid and gallery_camid, or neither: one camera alone has no meaning"
            )
        found = _find(self.points, far)
        if found is None:
            rates = ", ".join(f"{point.false_accept_rate:g}" for point in self.points)
            raise ValueError(
                f"no threshold for a false accept rate of {far:g}: {self.source} calibrated {rates}"
                f"{self._why_not(far)}"
            )
        for cameras in ((query_camid, gallery_camid), (gallery_camid, query_camid)):
            for pair in self.camera_pairs:
                special = _find(pair.points, far)
                if cameras == (pair.query_camid, pair.gallery_camid) and special is not None:
                    return special.threshold
        return found.threshold

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, strings, lists and dictionaries, which JSON and checkpoints hold."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return {**plain, "collapse": self.collapse}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """What to_dict wrote.

        Raises:
            ValueError: something else.
        """
        fields = {name: value for name, value in values.items() if name != "collapse"}
        try:
            cameras = [{**pair, "points": _read_points(pair["points"])} for pair in fields["camera_pairs"]]
            fields["points"] = _read_points(fields["points"])
            fields["camera_pairs"] = tuple(CalibratedCameras(**pair) for pair in cameras)
            for name in ("missing", "roc"):
                fields[name] = tuple(tuple(row) for row in fields[name])
            for name in ("histogram_same", "histogram_different"):
                fields[name] = tuple(fields[name])
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"no calibration that this version reads ({error}): make it again with tools/calibrate.py"
            ) from None

    def _why_not(self, far: float) -> str:
        reasons = [reason for rate, reason in self.missing if math.isclose(rate, far)]
        return f" ({reasons[0]})" if reasons else ""


def _find(points: tuple[CalibratedPoint, ...], far: float) -> CalibratedPoint | None:
    return next((point for point in points if math.isclose(point.false_accept_rate, far)), None)


def _read_points(rows: list[dict[str, Any]]) -> tuple[CalibratedPoint, ...]:
    return tuple(CalibratedPoint(**{**row, "interval": tuple(row["interval"])}) for row in rows)
