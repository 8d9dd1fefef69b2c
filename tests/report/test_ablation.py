from __future__ import annotations

import pytest

from reid_gl.report.ablation import format_ablation, summarize_ablation

RESULTS = {
    (): {"rank1": 0.5, "mAP": 0.40},
    ("a",): {"rank1": 0.6, "mAP": 0.50},
    ("b",): {"rank1": 0.5, "mAP": 0.38},
    ("a", "b"): {"rank1": 0.7, "mAP": 0.54},
}


def test_gains_by_hand() -> None:
    summary = summarize_ablation(RESULTS)
    assert [row["on"] for row in summary["rows"]] == [[], ["a"], ["b"], ["a", "b"]]
    assert [row["gain"] for row in summary["rows"]] == pytest.approx([0, 0.1, -0.02, 0.14])
    assert list(summary["switches"]) == ["a", "b"]
    first, second = (
        [gains[key] for key in ("alone", "mean", "least", "most")] for gains in summary["switches"].values()
    )
    assert first == pytest.approx([0.1, 0.13, 0.1, 0.16])
    assert second == pytest.approx([-0.02, 0.01, -0.02, 0.04])


def test_combinations_that_cannot_be_had() -> None:
    """b needs a."""
    summary = summarize_ablation({on: scores for on, scores in RESULTS.items() if on != ("b",)})
    assert summary["switches"]["a"]["mean"] == pytest.approx(0.1)
    assert summary["switches"]["b"]["alone"] is None
    assert summary["switches"]["b"]["mean"] == pytest.approx(0.04)
    assert format_ablation(summary).splitlines()[-1].split() == ["b", "–", "+4.0", "+4.0", "+4.0"]


def test_the_table() -> None:
    lines = format_ablation(summarize_ablation(RESULTS)).splitlines()
    assert lines[0].split() == ["a", "b", "rank-1", "mAP", "gain", "(%)"]
    assert lines[1].split() == [".", ".", "50.0", "40.0", "+0.0"]
    assert lines[3].split() == [".", "x", "50.0", "38.0", "-2.0"]
    assert lines[6].split() == ["gain", "of", "mAP", "alone", "mean", "least", "most"]
    assert lines[7].split() == ["a", "+10.0", "+13.0", "+10.0", "+16.0"]


def test_no_switch_at_all() -> None:
    summary = summarize_ablation({(): {"rank1": 0.5, "mAP": 0.4}})
    assert summary["switches"] == {}
    assert "50.0" in format_ablation(summary)
