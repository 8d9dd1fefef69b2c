from __future__ import annotations

from typing import Any

import pytest

from reid_gl.evaluation.thresholds.record import CalibratedCameras, CalibratedPoint, Calibration


@pytest.mark.parametrize(
    "values",
    [{}, {"points": 3}, {"camera_pairs": [], "points": [{"interval": [0, 1]}]}, {"version": 7}],
)
def test_other_things_are_no_calibration(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no calibration that this version reads .* reid-gl calibrate"):
        Calibration.from_dict(values)


def test_the_threshold_of_cameras_by_hand() -> None:
    def points(*thresholds: float) -> tuple[CalibratedPoint, ...]:
        rates = (1e-2, 1e-3)
        return tuple(
            CalibratedPoint(rate, at, (at, at), 0.5) for rate, at in zip(rates, thresholds, strict=False)
        )

    pairs = (CalibratedCameras(0, 1, points(0.4), 0.1, 9, 9), CalibratedCameras(1, 0, points(0.6), 0.1, 9, 9))
    result = Calibration("a", points(0.5, 0.2), (), pairs, 0.1, 2, 9, 9, 0.5, 0.1, (9,), (9,), ())
    assert [result.threshold(1e-2), result.threshold(1e-2, 0, 1), result.threshold(1e-2, 1, 0)] == [
        0.5,
        0.4,
        0.6,
    ]
    assert result.threshold(1e-3, 0, 1) == 0.2
