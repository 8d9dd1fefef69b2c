from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.report.training_curves import MAX_POINTS, read_training_curves


def write_log(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_steps_and_evaluations_by_epoch(tmp_path: Path) -> None:
    log = write_log(
        tmp_path / "log.jsonl",
        {"type": "step", "epoch": 0, "step": 10, "group": 4.0},
        {"type": "step", "epoch": 0, "step": 19, "group": 3.0, "triplet": 1.0},
        {"type": "step", "epoch": 1, "step": 0, "group": float("nan")},
        {"type": "evaluation", "epoch": 1, "step": 0, "mAP": 0.5},
    )
    curves = read_training_curves(log)
    assert curves == {
        "steps": {"epoch": [0.5, 0.95, 1.0], "group": [4.0, 3.0, None], "triplet": [None, 1.0, None]},
        "evaluations": {"epoch": [1.0], "mAP": [0.5]},
    }


def test_broken_lines_are_skipped(tmp_path: Path) -> None:
    good = {"type": "step", "epoch": 0, "step": 10, "group": 4.0, "note": "text", "flag": True}
    broken: list[object] = [
        '{"type": "st',
        "[1]",
        "3",
        "[" * 5000,
        '{"epoch": ' + "9" * 5000 + "}",
        {"epoch": 1, "step": 1},
    ]
    for epoch, step in ((0, -1), (True, 0), (10**400, 1), (1.5, 0)):
        broken.append({"type": "step", "epoch": epoch, "step": step})
    log = write_log(tmp_path / "log.jsonl", *broken, good)
    curves = read_training_curves(log)
    assert curves is not None
    assert list(curves["steps"]) == ["epoch", "group"]
    assert curves["steps"]["epoch"] == [pytest.approx(10 / 11)]
    assert curves["steps"]["group"] == [4.0]


def test_numbers_that_no_page_can_hold_are_left_out(tmp_path: Path) -> None:
    line = {"type": "step", "epoch": 1, "step": 0, "a": 10**400, "b": 1e308, "c": float("inf"), "d": 2}
    curves = read_training_curves(write_log(tmp_path / "log.jsonl", line, line))
    assert curves is not None
    assert curves["steps"] == {"epoch": [1.0, 1.0], "d": [2.0, 2.0]}


def test_a_long_log_is_thinned_out_by_means(tmp_path: Path) -> None:
    lines = [{"type": "step", "epoch": n, "step": 0, "group": float(n)} for n in range(3 * MAX_POINTS)]
    curves = read_training_curves(write_log(tmp_path / "log.jsonl", *lines))
    assert curves is not None
    assert len(curves["steps"]["epoch"]) == MAX_POINTS
    assert curves["steps"]["group"][:2] == [pytest.approx(1.0), pytest.approx(4.0)]


def test_no_log_is_no_curve(tmp_path: Path) -> None:
    assert read_training_curves(tmp_path / "log.jsonl") is None
    assert read_training_curves(write_log(tmp_path / "log.jsonl", "")) is None
