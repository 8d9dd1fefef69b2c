"""The data of a report that was never computed."""

from __future__ import annotations

from typing import Any


def report_data(num_runs: int = 2) -> dict[str, Any]:
    """Two queries and three gallery images; each run without and with re-ranking."""
    scores = {"mAP": 0.75, "mAP_interval_95": [0.6, 0.9]}
    run = {
        "training": {
            "steps": {"epoch": [0.5, 1.0], "group": [2.0, None], "learning_rate": [0.1, 0.1]},
            "evaluations": {},
        },
        "ablation": {"rows": [{"on": ["flip"], "rank1": 0.6, "mAP": 0.5, "gain": 0.1}], "switches": ["flip"]},
        "camera_pairs": [
            {"query": 0, "gallery": camera, "mAP": value, "rank1": value, "queries": 2}
            for camera, value in ((0, None), (1, 0.75))
        ],
        "distances": {
            "largest": 2.0,
            "same": [3, 1, 0, 0],
            "different": [0, 2, 2, 0],
            "points": [{"false_accept_rate": 0.01, "threshold": 0.4}],
        },
    }
    lists = [
        {
            "run": number,
            "reranked": reranked,
            "scores": scores,
            "cmc": [0.5, 1.0, 1.0],
            "precision": [0.75] * 100,
            "average_precision": [1.0, 0.5 - 0.1 * number, None],
        }
        for number in range(num_runs)
        for reranked in (False, True)
    ]
    comparison = {
        "first": 0,
        "second": 1,
        "difference": 0.01,
        "interval": [-0.1, 0.1],
        "num_better": 0,
        "num_worse": 1,
    }
    return {
        "runs": [{**run, "name": f"run {number}"} for number in range(num_runs)],
        "lists": lists,
        "comparisons": [comparison],
    }
