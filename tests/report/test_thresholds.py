from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from reid_gl.evaluation.thresholds.measure import calibrate
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.report.thresholds import draw_calibration, format_calibration
from tests.evaluation.thresholds.made_up_features import made_up


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate(made_up(0), source="thirty people", num_redraws=20)


def texts(figure: Figure) -> list[str]:
    found = [text.get_text().strip() for panel in figure.axes for text in panel.texts]
    for panel in figure.axes:
        legend = panel.get_legend()
        assert legend is not None
        found += [text.get_text() for text in legend.get_texts()]
    return found


def test_both_distributions_are_drawn_in_shares_of_their_own(calibration: Calibration) -> None:
    left, _ = draw_calibration(calibration).axes
    patches: list[Any] = list(left.patches)
    same, _, different, _ = (patch.get_data() for patch in patches[:4])  # filled, outline
    for drawn, counts in ((same, calibration.histogram_same), (different, calibration.histogram_different)):
        np.testing.assert_allclose(drawn.values, 100 * np.array(counts) / sum(counts))
        assert (drawn.edges[0], drawn.edges[-1], len(drawn.edges)) == (0, 2, len(counts) + 1)


def test_every_threshold_has_its_line_interval_and_numbers(calibration: Calibration) -> None:
    figure = draw_calibration(calibration)
    left, right = figure.axes
    assert [np.asarray(line.get_xdata())[0] for line in left.lines] == [
        point.threshold for point in calibration.points
    ]
    spans = [patch.get_extents().transformed(left.transData.inverted()) for patch in left.patches[4:]]
    assert [(span.x0, span.x1) for span in spans] == [
        pytest.approx(point.interval) for point in calibration.points
    ]
    for point in calibration.points:
        assert f"FAR {point.false_accept_rate:g}: {point.threshold:.3f}" in texts(figure)
    marked = [tuple(np.array(line.get_data())[:, 0]) for line in right.lines[1:]]
    rate = calibration.equal_error_rate
    assert marked == [
        *((point.false_accept_rate, 100 * point.true_accept_rate) for point in calibration.points),
        (rate, pytest.approx(100 * (1 - rate))),
    ]
    np.testing.assert_allclose(
        np.array(right.lines[0].get_data()).T, np.array(calibration.roc)[:, 1:] * [1, 100]
    )
    assert right.get_xscale() == "log"


def test_it_says_what_was_calibrated_and_what_is_wrong(calibration: Calibration) -> None:
    figure = draw_calibration(calibration)
    assert figure.get_suptitle() == "thirty people\n30 identities, 360 genuine pairs, 15,660 impostor pairs"
    assert "COLLAPSED" not in figure.axes[0].get_title()
    assert (
        "COLLAPSED" in draw_calibration(replace(calibration, mean_cosine_different=0.95)).axes[0].get_title()
    )


def test_the_image_can_be_written_twice_alike(calibration: Calibration) -> None:
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        draw_calibration(calibration).savefig(file, format="png")
    assert files[0].getvalue() == files[1].getvalue()


def test_the_table_has_a_line_for_each_rate_of_each_pair_of_cameras(calibration: Calibration) -> None:
    title, header, *lines = format_calibration(calibration).splitlines()
    assert (
        title == "cosine distance on thirty people: 30 identities, 360 genuine pairs, 15,660 impostor pairs"
    )
    assert header.split()[:3] == ["cameras", "FAR", "threshold"]
    assert [line.split()[:2] for line in lines[:2]] == [["all", "0.01"], ["all", "0.001"]]
    assert [line[:4] for line in lines[2:]] == ["0, 1", "0, 2", "1, 2"]
    first = calibration.points[0]
    assert lines[0].split()[2:4] == [
        f"{first.threshold:.4f}",
        f"{first.interval[0]:.4f}-{first.interval[1]:.4f}",
    ]
