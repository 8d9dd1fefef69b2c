"""Format the scores of every network on every test set as a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reid_gl.report.figures import literal

Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]


def format_matrix(rows: Rows) -> str:
    """Format a Markdown table of rank-1 / mAP in percent.

    Args:
        rows: training set to test set to scores, each with rank1 and mAP in [0, 1].
    """
    columns = list(next(iter(rows.values())))
    lines = [f"| trained on | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        cells = [f"{100 * row[column]['rank1']:.1f} / {100 * row[column]['mAP']:.1f}" for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw_matrix(rows: Rows) -> Figure:
    """Draw mean AP as a heat map: rows are training sets, columns are test sets.

    Args:
        rows: as in format_matrix.

    Returns:
        A figure outside pyplot's global state; `figure.savefig(path)` writes it.
    """
    columns = list(next(iter(rows.values())))
    values = 100 * np.array([[row[column]["mAP"] for column in columns] for row in rows.values()])
    size = (3.0 + 1.2 * len(columns), 1.8 + 0.7 * len(rows))
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    panel = figure.subplots()
    panel.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        color = "white" if value < 55 else "black"
        panel.text(column, row, f"{value:.1f}", ha="center", va="center", color=color)
    panel.set_xticks(range(len(columns)), [literal(name) for name in columns], rotation=20, ha="right")
    panel.set_yticks(range(len(rows)), [literal(name) for name in rows])
    panel.set_xlabel("tested on")
    panel.set_ylabel("trained on")
    panel.set_title("mAP (%)", loc="left", fontsize="medium")
    return figure
