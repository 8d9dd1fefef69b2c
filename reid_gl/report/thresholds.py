"""Format a calibration as a table and draw it as a figure."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reid_gl.evaluation.thresholds.distance_histograms import LARGEST_DISTANCE
from reid_gl.evaluation.thresholds.record import CalibratedPoint, Calibration
from reid_gl.report.figures import literal

# blue and vermilion of Okabe and Ito, which suit all kinds of colour vision
SAME, DIFFERENT = "#D55E00", "#0072B2"
MARGIN_BINS = 3


def format_calibration(calibration: Calibration) -> str:
    """Format a table in percent: one line per rate, first for all cameras, then for each pair of cameras."""
    lines = [
        f"cosine distance on {calibration.source}: {calibration.num_identities} identities, "
        f"{calibration.num_same:,} genuine pairs, {calibration.num_different:,} impostor pairs",
        f"{'cameras':<9}{'FAR':>8}{'threshold':>11}  {'95 % interval':<17}{'accepted (%)':>12}{'EER (%)':>9}",
    ]
    rows = [("all", calibration.points, calibration.equal_error_rate)]
    rows += [
        (f"{pair.query_camid}, {pair.gallery_camid}", pair.points, pair.equal_error_rate)
        for pair in calibration.camera_pairs
    ]
    for name, points, equal_error_rate in rows:
        for point in points:
            interval = f"{point.interval[0]:.4f}-{point.interval[1]:.4f}"
            lines.append(
                f"{name:<9}{point.false_accept_rate:>8g}{point.threshold:>11.4f}  {interval:<17}"
                f"{100 * point.true_accept_rate:>12.2f}{100 * equal_error_rate:>9.2f}"
            )
    return "\n".join(lines)


def draw_calibration(calibration: Calibration) -> Figure:
    """Draw the distances of genuine and impostor pairs with the thresholds (left) and the ROC curve (right).

    Returns:
        A figure outside pyplot's global state; `figure.savefig(path)` writes it.
    """
    figure = Figure(figsize=(12.0, 4.8), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    _draw_distances(left, calibration)
    _draw_roc(right, calibration)
    figure.suptitle(
        f"{literal(calibration.source)}\n{calibration.num_identities} identities, "
        f"{calibration.num_same:,} genuine pairs, {calibration.num_different:,} impostor pairs"
    )
    return figure


def _draw_distances(panel: Axes, calibration: Calibration) -> None:
    """Draw both histograms, each as percentages of its own pairs, and a line and interval per threshold."""
    counts = (calibration.histogram_same, calibration.histogram_different)
    edges = np.linspace(0, LARGEST_DISTANCE, len(counts[0]) + 1)
    highest = 0.0
    for values, color, label in zip(counts, (SAME, DIFFERENT), ("genuine", "impostor"), strict=True):
        shares = 100 * np.array(values) / max(sum(values), 1)
        highest = max(highest, shares.max())
        panel.stairs(shares, edges, color=color, fill=True, alpha=0.35, label=label)
        panel.stairs(shares, edges, color=color)
    for place, point in enumerate(calibration.points):
        panel.axvspan(*point.interval, color="0.4", alpha=0.25, linewidth=0)
        panel.axvline(point.threshold, color="0.15", linewidth=1.2, linestyle="--")
        height = highest * (1.32 - 0.1 * place)  # above the histograms, one label below the other
        panel.annotate(
            f" FAR {point.false_accept_rate:g}: {point.threshold:.3f}",
            (point.threshold, height),
            fontsize="small",
            verticalalignment="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            zorder=5,
        )
    used = np.flatnonzero(np.add(*counts))
    first, last = max(used[0] - MARGIN_BINS, 0), min(used[-1] + 1 + MARGIN_BINS, len(edges) - 1)
    panel.set_xlim(edges[first], edges[last])
    panel.set_ylim(0, 1.4 * highest)
    panel.set_xlabel("cosine distance (dashed: thresholds; grey: their 95 % intervals)")
    panel.set_ylabel("pairs in a bin (%)")
    panel.legend(loc="center right", frameon=False)  # few impostor pairs have such distances
    panel.set_title(
        f"mean cosine: genuine {calibration.mean_cosine_same:.2f}, "
        f"impostor {calibration.mean_cosine_different:.2f}" + (", COLLAPSED" if calibration.collapse else ""),
        fontsize="medium",
    )


def _draw_roc(panel: Axes, calibration: Calibration) -> None:
    """Draw true accepts against false accepts, the latter on a logarithmic axis."""
    _, false_accepts, true_accepts = np.array(calibration.roc).T
    panel.plot(false_accepts, 100 * true_accepts, color="0.15")
    for point in calibration.points:
        _mark(panel, point)
    rate = calibration.equal_error_rate
    panel.plot(
        [rate], [100 * (1 - rate)], marker="s", color=DIFFERENT, linestyle="none",
        label=f"equal error rate {100 * rate:.2f} %",
    )  # fmt: skip
    lowest = min(
        0.5 / calibration.num_different, min(point.false_accept_rate for point in calibration.points)
    )
    panel.set_xscale("log")
    panel.set_xlim(max(lowest, 1e-6), 1.0)
    panel.set_ylim(0, 103)
    panel.grid(alpha=0.3)
    panel.set_xlabel("false accept rate (impostor pairs accepted)")
    panel.set_ylabel("genuine pairs accepted (%)")
    # above the panel, where it does not cover the curve
    panel.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
        frameon=False,
        fontsize="small",
        columnspacing=1.0,
    )


def _mark(panel: Axes, point: CalibratedPoint) -> None:
    accepted = 100 * point.true_accept_rate
    panel.plot(
        [point.false_accept_rate],
        [accepted],
        marker="o",
        color=SAME,
        linestyle="none",
        label=f"FAR {point.false_accept_rate:g}: {accepted:.1f} % at {point.threshold:.3f}",
    )
