"""What each of several switches contributes, from the scores of their combinations."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

Combination = tuple[str, ...]


def summarize_ablation(results: Mapping[Combination, Mapping[str, float]]) -> dict[str, Any]:
    """Rows, and the gain of each switch.

    Args:
        results: names of the switches that are on, in one order everywhere, to rank1 and mAP in [0, 1]; () is
            there. Combinations that cannot be had are missing.

    Returns:
        "rows": for each combination "on", its scores and its "gain" of mAP over (). "switches": for each the
        gain of mAP "alone" (None if it cannot be on alone), and "mean", "least" and "most" over all
        combinations of the others.
    """
    plain = results[()]["mAP"]
    rows = [{"on": list(on), **scores, "gain": scores["mAP"] - plain} for on, scores in results.items()]
    switches = {}
    longest_first = sorted(results, key=len, reverse=True)  # it names the switches in their order
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
    """Two tables in percent: the combinations, then the switches.

    Args:
        summary: as summarize_ablation gives it.
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
