"""Convert scores to a JSON object and to a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reid_gl.evaluation.scores.breakdown import CameraPair, mean_ap_interval
from reid_gl.evaluation.scores.protocol import Preflight
from reid_gl.records import RankingResult

RANKS = (1, 5, 10, 20)
COLUMNS = {
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "rank20": "rank-20",
    "mAP": "mAP",
    "mAP_trapezoid": "mAP (trapezoid)",
    "mINP": "mINP",
    "MAP@R": "MAP@R",
    "R-precision": "R-precision",
    "NMI": "NMI",
    "AMI": "AMI",
    "F1": "F1",
}
"""Scores and their column titles."""
OF_REID = (*(f"rank{k}" for k in RANKS), "mAP_trapezoid", "mINP")
"""Scores that image retrieval does not report; its Recall@K is the same as rank-k."""


def scores_to_dict(result: RankingResult, preflight: Preflight, **settings: object) -> dict[str, Any]:
    """Collect everything needed to compare a result: scores in [0, 1], protocol, counts and settings.

    Args:
        result: the scores.
        preflight: the protocol used to compute them.
        settings: further settings to record, such as feature, distance and dtype.
    """
    return {
        **ranking_to_dict(result),
        "protocol": {
            "name": preflight.name,
            "ap_rule": "mAP: rectangle, mAP_trapezoid: trapezoid",
            "junk": "identity -1 ignored",
            "ties": "wrong images first",
        },
        "counts": {
            "queries": result.num_queries,
            "queries_scored": result.num_scored,
            "gallery": result.num_gallery,
            "distractors": preflight.num_distractors,
        },
        **settings,
    }


def ranking_to_dict(result: RankingResult) -> dict[str, Any]:
    """CMC at RANKS, mAP by both rules, its bootstrap interval, and mINP, all in [0, 1]."""
    ranks = {f"rank{k}": result.rank(k) for k in RANKS}
    return {
        **ranks,
        "mAP": result.mean_ap,
        "mAP_interval_95": list(mean_ap_interval(result)),
        "mAP_trapezoid": result.mean_ap_trapezoid,
        "mINP": result.mean_inp,
    }


def format_camera_pairs(pairs: Sequence[CameraPair]) -> str:
    """Format mean AP in percent: rows are query cameras, columns gallery cameras; "-" if there are none."""
    columns = sorted({pair.gallery_camid for pair in pairs})
    cells = {(pair.query_camid, pair.gallery_camid): pair.result for pair in pairs}
    lines = ["mAP (%), queries down, gallery across", "      " + "".join(f"{camid:>7}" for camid in columns)]
    for camid in sorted({pair.query_camid for pair in pairs}):
        results = [cells[camid, column] for column in columns]
        row = ["-" if result is None else f"{100 * result.mean_ap:.1f}" for result in results]
        lines.append(f"{camid:>6}" + "".join(cell.rjust(7) for cell in row))
    return "\n".join(lines)


def format_scores(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Format a table in percent, one named result per line.

    Args:
        rows: name to the result of scores_to_dict; missing keys leave a blank cell.
    """
    shown = {key: title for key, title in COLUMNS.items() if any(key in row for row in rows.values())}
    recalls = sorted({int(key[7:]) for row in rows.values() for key in row if key.startswith("recall@")})
    if recalls and all(f"recall@{recalls[0]}" in row for row in rows.values()):
        shown = {key: title for key, title in shown.items() if key not in OF_REID}
    shown = {**{f"recall@{k}": f"R@{k}" for k in recalls}, **shown}
    width = max((len(name) for name in rows), default=0)
    lines = ["  ".join([" " * width, *shown.values(), "  (%)"]).rstrip()]
    for name, row in rows.items():
        cells = [f"{100 * row[key]:.1f}" if key in row else "" for key in shown]
        padded = [cell.rjust(len(title)) for cell, title in zip(cells, shown.values(), strict=True)]
        lines.append("  ".join([name.ljust(width), *padded]))
    return "\n".join(lines)
