from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reid_gl.training.log import RunLog


def read(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def make_log(folder: Path, **settings: int) -> RunLog:
    return RunLog(folder, **{"num_epochs": 2, "steps_per_epoch": 4, "batch_size": 8, "every": 2, **settings})


def test_lines_hold_means_rates_and_metrics(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for step in range(1, 5):
        log.step(0, step, 8, {"total": float(step)})
    log.epoch(1, {"mAP": 0.5})
    log.close()
    lines = read(tmp_path)
    assert [line["type"] for line in lines] == ["step", "step", "evaluation"]
    assert [line.get("total") for line in lines] == [1.5, 3.5, None]
    assert lines[0]["images_per_second"] > 0
    assert lines[2]["mAP"] == 0.5
    assert list((tmp_path / "tensorboard").iterdir())


def test_resuming_drops_what_came_after_the_checkpoint_and_torn_lines(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for step in range(1, 5):
        log.step(0, step, 8, {"total": float(step)})
    log.epoch(1, {})
    log.step(1, 1, 8, {"total": 9.0})
    log.step(1, 2, 8, {"total": 9.0})
    log.close()
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(b'[1]\n\xff\n{"epoch": "x", "step": 1}\n{"step": 1}\n{"type": "st')
    make_log(tmp_path, epoch=1, step=0).close()
    assert [(line["epoch"], line["step"]) for line in read(tmp_path)] == [(0, 2), (0, 4)]


@pytest.mark.parametrize("epoch", [0, 1])
def test_an_epoch_without_steps_writes_nothing(tmp_path: Path, epoch: int) -> None:
    log = make_log(tmp_path)
    log.epoch(epoch, {})
    log.close()
    assert read(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "is not a file but a pipe"),
        (lambda path: (path.touch(), os.truncate(path, 20 * 2**30)), "has 21,474,836,480 bytes, more than"),
    ],
)
def test_a_log_that_no_run_wrote_is_refused(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    make(tmp_path / "log.jsonl")
    with pytest.raises(ValueError, match=rf"log\.jsonl {message}"):
        make_log(tmp_path)
