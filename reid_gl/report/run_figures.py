"""The figures of a report for papers: the same numbers as the page, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reid_gl.report.figures import literal

FORMS = ("svg", "png", "pdf")
COLORS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#B07B00", "#44778C", "#882255", "#555555")
"""Suit all kinds of colour vision; the page uses the same, one for each run."""
COLUMN, TEXT_WIDTH = 3.4, 7.0
"""Inches: a column, and both columns, of a paper; figures are included without scaling."""
FONT, SMALL_FONT = 8, 7
"""Points."""
LONGEST_NAME = 24
"""Letters of a run's name; more do not fit into a legend and beside the height of a comparison."""
NUM_BINS = 20
MOST_CELLS = 2_500
"""Pairs of cameras whose numbers stand in their cells; more could not be read."""
MOST_RUNS, MOST_ROWS = 100, 1_000
"""Runs, and rows of an ablation, that figures can show."""
THRESHOLD_LINES = (":", "--", "-.", (0, (6, 1)))
NO_LOSSES = ("epoch", "images_per_second", "learning_rate", "gradient_norm")
Data = Mapping[str, Any]


def draw_figures(data: Data) -> dict[str, Figure]:
    """Draw every figure that the data of a report has.

    Args:
        data: the result of reid_gl.report.page.read_report.

    Returns:
        Figures outside pyplot's global state, by name.

    Raises:
        ValueError: there are too many runs, or rows of an ablation.
    """
    rows = [len(run["ablation"]["rows"]) for run in data["runs"] if run["ablation"]]
    if len(data["runs"]) > MOST_RUNS or max(rows, default=0) > MOST_ROWS:
        raise ValueError(f"it has more than {MOST_RUNS} runs, or {MOST_ROWS} rows of an ablation")
    figures = {
        "cmc": _one_panel(_draw_cmc, data),
        "precision_recall": _one_panel(_draw_precision_recall, data),
        "average_precision": _one_panel(_draw_average_precision, data),
    }
    for number, run in enumerate(data["runs"]):
        suffix = f"_{number + 1}" if len(data["runs"]) > 1 else ""
        if run["camera_pairs"]:
            figures[f"cameras{suffix}"] = _one_panel(_draw_cameras, run)
        figures[f"distances{suffix}"] = _one_panel(_draw_distances, run["distances"])
        if run["training"] and run["training"]["steps"]["epoch"]:
            figures[f"training{suffix}"] = _one_panel(_draw_training, run["training"]["steps"])
        if run["ablation"]:
            figures[f"ablation{suffix}"] = _one_panel(_draw_ablation, run["ablation"])
    for number, pair in enumerate(data["comparisons"], start=1):
        figures[f"comparison_{number}"] = _draw_comparison(data, pair)
    return figures


def list_name(data: Data, ranking: Data) -> str:
    """Return the name of a rank list, with that of its run if there are several."""
    words = "re-ranked" if ranking["reranked"] else "not re-ranked"
    if len(data["runs"]) == 1:
        return words
    name, half = data["runs"][ranking["run"]]["name"], LONGEST_NAME // 2
    return f"{literal(name if len(name) <= LONGEST_NAME else f'{name[:half]}…{name[-half:]}')}, {words}"


def _one_panel(draw: Callable[[Axes, Data], None], data: Data) -> Figure:
    figure = Figure(figsize=(COLUMN, 2.4), dpi=300, layout="constrained")
    panel = figure.subplots()
    draw(panel, data)
    _size_letters(panel)
    return figure


def _style(ranking: Data) -> dict[str, Any]:
    return {"color": COLORS[ranking["run"] % len(COLORS)], "linestyle": "--" if ranking["reranked"] else "-"}


def _draw_cmc(panel: Axes, data: Data) -> None:
    for ranking in data["lists"]:
        values = 100 * np.array(ranking["cmc"])
        panel.plot(range(1, len(values) + 1), values, label=list_name(data, ranking), **_style(ranking))
    _finish(panel, "rank", "queries with a match (%)")


def _draw_precision_recall(panel: Axes, data: Data) -> None:
    for ranking in data["lists"]:
        values = 100 * np.array(ranking["precision"])
        name = f"{list_name(data, ranking)}: mAP {100 * ranking['scores']['mAP']:.1f} %"
        panel.plot(range(1, len(values) + 1), values, label=name, **_style(ranking))
    panel.set_ylim(0, 102)
    _finish(panel, "recall (%)", "precision (%)")


def _draw_average_precision(panel: Axes, data: Data) -> None:
    for ranking in data["lists"]:
        values = [100 * value for value in ranking["average_precision"] if value is not None]
        counts, edges = np.histogram(values, NUM_BINS, (0, 100))
        panel.stairs(counts, edges, label=list_name(data, ranking), linewidth=1.2, **_style(ranking))
    _finish(panel, "average precision (%)", "queries")


def _draw_cameras(panel: Axes, run: Data) -> None:
    pairs = {(pair["query"], pair["gallery"]): pair["mAP"] for pair in run["camera_pairs"]}
    down, across = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    cells = [[pairs[query, gallery] for gallery in across] for query in down]
    values = 100 * np.array([[np.nan if cell is None else cell for cell in row] for row in cells])
    panel.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(values if values.size <= MOST_CELLS else values[:0]):
        color = "white" if value < 55 else "black"
        text = "–" if np.isnan(value) else f"{value:.1f}"
        color = "black" if text == "–" else color
        panel.text(column, row, text, ha="center", va="center", color=color, fontsize=SMALL_FONT)
    panel.set_xticks(range(len(across)), [literal(str(camera)) for camera in across])
    panel.set_yticks(range(len(down)), [literal(str(camera)) for camera in down])
    panel.set_xlabel("camera of the gallery images")
    panel.set_ylabel("camera of the queries")
    panel.set_title("mAP (%)", loc="left", fontsize=FONT)


def _draw_distances(panel: Axes, found: Data) -> None:
    edges = np.linspace(0, found["largest"], len(found["same"]) + 1)
    for key, name, color in (
        ("same", "same person", COLORS[1]),
        ("different", "different people", COLORS[0]),
    ):
        shares = 100 * np.array(found[key]) / max(sum(found[key]), 1)
        panel.stairs(shares, edges, color=color, fill=True, alpha=0.3)
        panel.stairs(shares, edges, color=color, label=name)
    used = np.flatnonzero(np.add(found["same"], found["different"]))
    panel.set_xlim(edges[max(used[0] - 2, 0)], edges[min(used[-1] + 3, len(edges) - 1)])
    for number, point in enumerate(found["points"]):
        label = f"FAR {point['false_accept_rate']:g}: {point['threshold']:.3f}"
        dashes = THRESHOLD_LINES[number % len(THRESHOLD_LINES)]
        panel.axvline(point["threshold"], color="0.2", linestyle=dashes, linewidth=1.2, label=label)
    _finish(panel, "cosine distance", "pairs in a bin (%)")


def _draw_training(panel: Axes, steps: Data) -> None:
    for number, (name, values) in enumerate(item for item in steps.items() if item[0] not in NO_LOSSES):
        numbers = [np.nan if value is None else value for value in values]
        label, color = literal(name).replace("_", " "), COLORS[number % len(COLORS)]
        panel.plot(steps["epoch"], numbers, label=label, color=color)
    _finish(panel, "epoch", "loss")


def _draw_ablation(panel: Axes, ablation: Data) -> None:
    rows = sorted(ablation["rows"], key=lambda row: float(row["mAP"]))
    names = [literal(" + ".join(row["on"])) or "none" for row in rows]
    bars = panel.barh(names, [100 * row["mAP"] for row in rows], color=COLORS[0])
    panel.bar_label(bars, fmt="%.1f", padding=2, fontsize=SMALL_FONT)
    panel.margins(x=0.15)
    _set_height(panel, max(1.2, 0.6 + 0.17 * len(rows)))
    panel.set_xlabel("mAP (%)")
    panel.grid(axis="x", alpha=0.3)


def _draw_comparison(data: Data, pair: Data) -> Figure:
    """Draw each query's average precision in both lists (left), and the differences (right)."""
    first, second = data["lists"][pair["first"]], data["lists"][pair["second"]]
    both = [(one["average_precision"]) for one in (first, second)]
    values = 100 * np.array([row for row in zip(*both, strict=True) if None not in row], dtype=float).reshape(
        -1, 2
    )
    figure = Figure(figsize=(TEXT_WIDTH, 3.2), dpi=300, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 100], [0, 100], color="0.6", linestyle="--", linewidth=1)
    left.scatter(values[:, 0], values[:, 1], s=6, alpha=0.35, linewidths=0, color=_style(second)["color"])
    left.set_xlabel(f"AP (%), {list_name(data, first)}")
    left.set_ylabel(f"AP (%), {list_name(data, second)}")
    left.set_aspect("equal")
    right.hist(values[:, 1] - values[:, 0], bins=40, range=(-100, 100), color=_style(second)["color"])
    right.set_xlabel("difference of AP (points)")
    right.set_ylabel("queries")
    low, high = pair["interval"]
    right.set_title(
        f"mAP {100 * pair['difference']:+.1f} points (95 %: {100 * low:+.1f} to {100 * high:+.1f})"
    )
    for panel in (left, right):
        _size_letters(panel)
    return figure


def _finish(panel: Axes, x_label: str, y_label: str) -> None:
    panel.set_xlabel(x_label)
    panel.set_ylabel(y_label)
    panel.grid(alpha=0.3)
    # above the panel, where it hides no line however long its names are
    names = panel.get_legend_handles_labels()[1]
    panel.legend(frameon=False, fontsize=SMALL_FONT, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    _set_height(panel, 2.4 + 0.15 * len(names))


def _set_height(panel: Axes, inches: float) -> None:
    panel.figure.set_figheight(inches)  # type: ignore[union-attr]


def _size_letters(panel: Axes) -> None:
    """Give all letters outside the panel a size that can be read in a column."""
    for text in (panel.xaxis.label, panel.yaxis.label, panel.title):
        text.set_fontsize(FONT)
    panel.tick_params(labelsize=SMALL_FONT)
