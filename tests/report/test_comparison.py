from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from reid_gl.report.comparison import draw_comparison, format_comparison, summarize_runs


def _run(rank1: float, mean_ap: float, seconds: float = 10.0) -> dict[str, Any]:
    return {"rank1": rank1, "mAP": mean_ap, "seconds": seconds, "was_resumed": False}


DIVERGED = {"error": "loss term 'group' is nan", "seconds": 1.0, "was_resumed": False}
RESULTS = {
    "ce+group": summarize_runs([_run(0.9, 0.5, 10), _run(0.8, 0.7, 30)]),
    "triplet": summarize_runs([_run(0.25, 0.125), DIVERGED]),
    "rll": summarize_runs([DIVERGED]),
}


def test_mean_and_sample_standard_deviation_by_hand() -> None:
    result = RESULTS["ce+group"]
    assert result["rank1"]["values"] == [0.9, 0.8]
    assert result["rank1"]["mean"] == pytest.approx(0.85)
    assert result["rank1"]["std"] == pytest.approx(math.sqrt(0.05**2 + 0.05**2))  # divided by n - 1 = 1
    assert result["mAP"]["mean"] == pytest.approx(0.6)
    assert result["seconds"] == 20
    assert result["errors"] == []


def test_a_run_that_diverged_does_not_count() -> None:
    assert RESULTS["triplet"]["rank1"] == {"values": [0.25], "mean": 0.25, "std": None}
    assert RESULTS["triplet"]["errors"] == ["loss term 'group' is nan"]
    assert RESULTS["rll"]["mAP"] == {"values": [], "mean": None, "std": None}
    assert RESULTS["rll"]["seconds"] is None


def test_the_time_of_a_run_that_was_resumed_is_not_that_of_a_run() -> None:
    resumed = {**_run(0.5, 0.5, 1.0), "was_resumed": True}
    assert summarize_runs([_run(0.5, 0.5, 80.0), resumed])["seconds"] == 80
    assert summarize_runs([resumed])["seconds"] is None


def test_the_table() -> None:
    assert format_comparison(RESULTS).splitlines() == [
        "| | rank-1 (%) | mAP (%) | runs | s a run |",
        "|---|---|---|---|---|",
        "| ce+group | 85.0 ± 7.1 | 60.0 ± 14.1 | 2 | 20 |",
        "| triplet | 25.0 | 12.5 | 1, 1 diverged | 10 |",
        "| rll | – | – | 0, 1 diverged | – |",
    ]


def test_every_run_is_a_point_in_its_row() -> None:
    panel = draw_comparison(RESULTS, title="4 epochs").axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == list(RESULTS)
    points = [scatter.get_offsets() for scatter in panel.collections if isinstance(scatter, PathCollection)]
    found = sorted(tuple(point) for offsets in points for point in np.asarray(offsets).tolist())
    assert found == sorted([(90.0, 0), (80.0, 0), (25.0, 1), (50.0, 0), (70.0, 0), (12.5, 1)])
    assert panel.get_title(loc="left") == "4 epochs"


def test_values_of_a_setting_are_joined_by_a_line() -> None:
    panel = draw_comparison(RESULTS, title="", values=["1", "2", "3"]).axes[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["1", "2", "3"]
    joined = [line for line in panel.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]
    assert [line.get_color() for line in joined] == ["#0072B2", "#D55E00"]
    np.testing.assert_allclose(np.asarray(joined[0].get_ydata(), dtype=float), [85, 25, np.nan])
