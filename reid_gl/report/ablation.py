"""Ablation: the contribution of each of several switches, from the scores of their combinations."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

Combination = tuple[str, ...]


def summarize_ablation(results: Mapping[Combination, Mapping[str, float]]) -> dict[str, Any]:
    """Summarise the scores of every combination, and the gain of each switch.

    Args:
        results: combination to rank1 and mAP in [0, 1]. A combination is a tuple of the names of the switches
            that are on, always in the same order; () must be present, impossible combinations are absent.

    Returns:
        "rows": per combination, the switches that are "on", its scores, and its "gain" of mAP over ().
        "switches": per switch, the gain of mAP when it is on "alone" (None if it cannot be), and the "mean",
        "least" and "most" gain over all combinations of the other switches.
    """
    plain = results[()]["mAP"]
    rows = [{"on": list(on), **scores, "gain": scores["mAP"] - plain} for on, scores in results.items()]
    switches = {}
    longest_first = sorted(results, key=len, reverse=True)  # its names come in the order of the switches
    for name in dict.fromkeys(name for on in longest_first for name in on):
        gains = {}
        for on in results:
            rest = tuple(other for other in on if other != name)
            if name in on and rest in results:
                gains[rest] = results[on]["mAP"] - results[rest]["mAP"]
        switches[name] = {
            "alone": gains.get(()),
            "mean": statistics.fmean(gains.values()),
            "least": min(gains.values()),
            "most": max(gains.values()),
        }
    return {"rows": rows, "switches": switches}


def format_ablation(summary: Mapping[str, Any]) -> str:
    """Format two tables in percent: the combinations, then the switches.

    Args:
        summary: the result of summarize_ablation.
    """
    names = list(summary["switches"])
    lines = ["  ".join([*names, "rank-1", "  mAP", " gain", "  (%)"]).rstrip()]
    for row in summary["rows"]:
        marks = [("x" if name in row["on"] else ".").center(len(name)) for name in names]
        scores = [f"{100 * row['rank1']:6.1f}", f"{100 * row['mAP']:5.1f}", f"{100 * row['gain']:+5.1f}"]
        lines.append("  ".join([*marks, *scores]))
    title = "gain of mAP"
    width = max(map(len, [title, *names]))
    lines += ["", "  ".join([title.ljust(width), "  alone", "   mean", "  least", "   most"])]
    for name, gains in summary["switches"].items():
        cells = [
            f"{'–':>7}" if gains[key] is None else f"{100 * gains[key]:+7.1f}"
            for key in ("alone", "mean", "least", "most")
        ]
        lines.append("  ".join([name.ljust(width), *cells]))
    return "\n".join(lines)
