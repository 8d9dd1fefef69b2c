"""Compare the scores of training runs: mean and standard deviation over seeds, as table and figure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reid_gl.report.figures import literal

SCORES = {"rank1": ("rank-1", "#0072B2"), "mAP": ("mAP", "#D55E00"), "NMI": ("NMI", "#009E73")}
"""Title and colour; the colours suit all kinds of colour vision. Only image retrieval reports NMI."""
NOTHING: dict[str, Any] = {"values": [], "mean": None, "std": None}


def summarize_runs(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise the runs of one contender.

    Args:
        runs: one per seed, with rank1, mAP and optionally NMI in [0, 1] and seconds, or with an error.

    Returns:
        For rank1, mAP and, if present, NMI: the values, their mean and their sample standard deviation (None
        for fewer than two values). Also the mean seconds of runs that were not resumed, and the errors.
    """
    good = [run for run in runs if "error" not in run]
    summary: dict[str, Any] = {}
    for score in SCORES:
        values = [run[score] for run in good if score in run]
        if score == "NMI" and not values:
            continue
        summary[score] = {
            "values": values,
            "mean": statistics.fmean(values) if values else None,
            "std": statistics.stdev(values) if len(values) > 1 else None,
        }
    timed = [run["seconds"] for run in good if not run["was_resumed"]]
    summary["seconds"] = statistics.fmean(timed) if timed else None
    summary["errors"] = [run["error"] for run in runs if "error" in run]
    return summary


def format_comparison(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Format a Markdown table in percent, one contender per line.

    Args:
        results: name to the result of summarize_runs.
    """
    scores = _shown(results)
    titles = " | ".join(f"{title} (%)" for title, _ in scores.values())
    lines = [f"| | {titles} | runs | s a run |", "|---" * (len(scores) + 3) + "|"]
    for name, result in results.items():
        cells = [_mean_and_std(result.get(score, NOTHING)) for score in scores]
        runs = str(len(result["rank1"]["values"]))
        if result["errors"]:
            runs += f", {len(result['errors'])} diverged"
        seconds = "–" if result["seconds"] is None else f"{result['seconds']:.0f}"
        lines.append(f"| {name} | {' | '.join(cells)} | {runs} | {seconds} |")
    return "\n".join(lines)


def _shown(results: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """The scores that at least one contender has."""
    known = {score for result in results.values() for score in result}
    return {score: style for score, style in SCORES.items() if score in known}


def _mean_and_std(score: Mapping[str, Any]) -> str:
    if score["mean"] is None:
        return "–"
    spread = "" if score["std"] is None else f" ± {100 * score['std']:.1f}"
    return f"{100 * score['mean']:.1f}{spread}"


def draw_comparison(
    results: Mapping[str, Mapping[str, Any]], *, title: str, values: Sequence[str] | None = None
) -> Figure:
    """Draw mean and standard deviation of each score, with every run as a small point.

    Args:
        results: name to the result of summarize_runs.
        title: title of the figure.
        values: axis labels if the contenders are values of one setting, which are then joined by lines; None
            for contenders without an order, which are drawn as rows.

    Returns:
        A figure outside pyplot's global state; `figure.savefig(path)` writes it.
    """
    if values is None:
        figure = Figure(figsize=(8.0, 1.4 + 0.34 * len(results)), dpi=120, layout="constrained")
        panel = figure.subplots()
        _draw_rows(panel, results)
    else:
        figure = Figure(figsize=(6.5, 4.2), dpi=120, layout="constrained")
        panel = figure.subplots()
        _draw_lines(panel, results, values)
    panel.set_title(title, loc="left", fontsize="medium")
    panel.grid(alpha=0.3)
    panel.legend(loc="best", frameon=False)
    return figure


def _draw_rows(panel: Axes, results: Mapping[str, Mapping[str, Any]]) -> None:
    places = range(len(results))
    for score, (label, color) in _shown(results).items():
        means, spreads = _percent(results, score)
        panel.errorbar(means, places, xerr=spreads, fmt="o", color=color, capsize=3, label=label)
        for place, result in zip(places, results.values(), strict=True):
            points = [100 * value for value in result.get(score, NOTHING)["values"]]
            panel.scatter(points, [place] * len(points), s=9, color=color, alpha=0.4, linewidths=0)
    panel.set_yticks(places, [literal(name) for name in results])
    panel.set_ylim(len(results) - 0.5, -0.5)
    panel.set_xlabel("percent; bars: ± one standard deviation over seeds")


def _draw_lines(panel: Axes, results: Mapping[str, Mapping[str, Any]], values: Sequence[str]) -> None:
    places = range(len(results))
    for score, (label, color) in _shown(results).items():
        means, spreads = _percent(results, score)
        panel.errorbar(places, means, yerr=spreads, fmt="o-", color=color, capsize=3, label=label)
        for place, result in zip(places, results.values(), strict=True):
            points = [100 * value for value in result.get(score, NOTHING)["values"]]
            panel.scatter([place] * len(points), points, s=9, color=color, alpha=0.4, linewidths=0)
    panel.set_xticks(places, [literal(value) for value in values])
    panel.set_ylabel("percent; bars: ± one standard deviation over seeds")


def _percent(results: Mapping[str, Mapping[str, Any]], score: str) -> tuple[list[float], list[float]]:
    """Means and standard deviations in percent; NaN, which is not drawn, if every run diverged."""
    chosen = [result.get(score, NOTHING) for result in results.values()]
    means = [float("nan") if one["mean"] is None else 100 * one["mean"] for one in chosen]
    return means, [100 * (one["std"] or 0.0) for one in chosen]
