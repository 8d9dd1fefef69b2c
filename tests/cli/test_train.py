from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import train
from reid_gl.cli.main import main
from reid_gl.config.experiment import Experiment
from reid_gl.training.fit import Interrupted

SCORES = {"dataset": "a", "feature": "b", "distance": "c", "rank1": 0.5}


class Training:
    """Stands for run_training and run_test, and notes how they were called."""

    def __init__(self) -> None:
        self.stops_by = 0
        self.calls: list[tuple[str, Any]] = []

    def run_training(self, experiment: Experiment, *, resume: bool, stop_signal: Any) -> tuple[Path, str]:
        assert stop_signal() == 0
        self.calls.append(("train", (experiment.seed, resume)))
        if self.stops_by:
            raise Interrupted(self.stops_by)
        return Path("run/model.ckpt"), "data set"

    def run_test(self, experiment: Experiment, dataset: str) -> dict[str, Any]:
        self.calls.append(("test", (experiment.seed, str(experiment.weights), dataset)))
        return SCORES


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    training = Training()
    for name in ("run_training", "run_test"):
        monkeypatch.setattr(train, name, getattr(training, name))
    monkeypatch.setattr(train, "prepare_torch", lambda seed: training.calls.append(("prepare", seed)))
    return training


def test_the_weights_are_scored_on_the_data_set_that_is_read_already(
    training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "SEED", "3"]) == 0
    assert training.calls == [
        ("prepare", 3),
        ("train", (3, False)),
        ("test", (3, "run/model.ckpt", "data set")),
    ]
    assert json.loads(capsys.readouterr().out) == SCORES


def test_resumed_and_not_tested(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", "--no-test"]) == 0
    assert training.calls[1:] == [("train", (0, True))]
    assert capsys.readouterr().out == ""


def test_a_signal_is_the_exit_code(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    training.stops_by = 15
    assert main(["train"]) == 143
    assert training.calls[1:] == [("train", (0, False))]
    assert "stopped by signal 15; the state is saved" in capsys.readouterr().err
