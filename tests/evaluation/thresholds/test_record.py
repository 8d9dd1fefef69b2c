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


POINT = {"false_accept_rate": 0.01, "threshold": 0.4, "interval": [0.3, 0.5], "true_accept_rate": 0.9}
GOOD = {
    **{"source": "made up", "points": [POINT], "missing": [[0.001, "too few"]], "equal_error_rate": 0.1},
    **{"num_identities": 2, "num_same": 9, "num_different": 9, "mean_cosine_same": 0.5},
    **{"mean_cosine_different": 0.1, "histogram_same": [9], "histogram_different": [9]},
    **{"roc": [[0.1, 0.1, 0.2]], "camera_pairs": []},
}


@pytest.mark.parametrize(
    "change",
    [
        {"source": 7},
        {"points": [{**POINT, "threshold": "0.4"}]},
        {"points": [{**POINT, "interval": [0.3]}]},
        {"points": [{**POINT, "true_accept_rate": float("nan")}]},
        {"missing": [[0.001, 3]]},
        {"missing": [0.001]},
        {"num_same": 10**400},
        {"histogram_same": ["x"]},
        {"histogram_same": [9, 9]},
        {"roc": [[0.1, 0.2]]},
        {"equal_error_rate": None},
    ],
)
def test_values_of_another_kind_are_no_calibration(change: dict[str, Any]) -> None:
    assert Calibration.from_dict(GOOD).threshold(0.01) == 0.4
    with pytest.raises(ValueError, match="no calibration that this version reads"):
        Calibration.from_dict({**GOOD, **change})
