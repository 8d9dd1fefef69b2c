"""A calibration with plain numbers."""

from __future__ import annotations

from reid_gl.evaluation.thresholds.record import CalibratedPoint, Calibration


def made_up_calibration(source: str = "made up") -> Calibration:
    points = (CalibratedPoint(0.01, 0.25, (0.2, 0.3), 0.9),)
    return Calibration(source, points, (), (), 0.1, 2, 9, 9, 0.5, 0.1, (9,), (9,), ((0.1, 0.1, 0.2),))
