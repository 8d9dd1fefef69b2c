"""The commands as a user runs them, some in processes of their own, with signals."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reid_gl.cli.main import main
from reid_gl.models import read_checkpoint
from tests.conftest import logging_as_it_was
from tests.distributed.run_ranks import start_command
from tests.experiment.conftest import SMALL
from tests.made_up_people import write_people

ROOT = Path(__file__).parents[2]
LONG = 12
"""Epochs of a run that is to be interrupted: of six steps each."""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "market1501")


def command(tool: str, *words: object) -> list[str]:
    return [sys.executable, str(ROOT / "tools" / f"{tool}.py"), *map(str, words)]


def call_process(tool: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own, which takes seconds to import torch."""
    return subprocess.run(command(tool, *words), capture_output=True, text=True, timeout=120, check=False)


def call(tool: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command in this process; return what a process of its own would."""
    arguments = [tool.replace("_", "-"), *map(str, words)]
    output, errors = io.StringIO(), io.StringIO()
    with logging_as_it_was(), redirect_stdout(output), redirect_stderr(errors):
        try:
            code = main(arguments)
        except SystemExit as stop:  # of argparse
            code = int(stop.code or 0)
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def wait_for_epoch(process: BaseProcess, folder: Path, epoch: int) -> None:
    """Wait until the log of a training shows a step of this epoch."""
    deadline = time.monotonic() + 300
    log = folder / "log.jsonl"
    while not (log.exists() and f'"epoch": {epoch}' in log.read_text()):
        assert process.is_alive(), "training has ended"
        assert time.monotonic() < deadline, "no step within five minutes"
        time.sleep(0.02)


def test_train_then_test(people: Path, tmp_path: Path) -> None:
    words = [*SMALL, "SOLVER.NUM_EPOCHS", 1, "DATA.ROOT", people]
    trained = call_process("train", *words, "OUTPUT_DIR", tmp_path / "run")
    assert trained.returncode == 0, trained.stderr
    tested = call("test", *words, "MODEL.WEIGHTS", tmp_path / "run" / "model.ckpt")
    assert json.loads(tested.stdout) == json.loads(trained.stdout)
    assert "rank-1" in tested.stderr
    assert "8 of 8 queries have a match from another camera" in tested.stderr


@pytest.fixture(scope="module")
def words(people: Path) -> list[object]:
    size = ["SOLVER.NUM_EPOCHS", LONG, "INPUT.SIZE", "[32,16]"]
    return [*SMALL, "DATA.ROOT", people, *size, "--no-test"]


@pytest.fixture(scope="module")
def straight(words: list[object], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """Weights of a training that nothing stopped."""
    folder = tmp_path_factory.mktemp("straight")
    answer = call("train", *words, "OUTPUT_DIR", folder / "run")
    assert answer.returncode == 0, answer.stderr
    return read_checkpoint(folder / "run" / "model.ckpt")["model"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_killed_in_an_epoch_and_resumed_equals_never_killed(
    words: list[object], straight: dict[str, Tensor], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    run = [*words, "OUTPUT_DIR", tmp_path / "run", "DATA.NUM_WORKERS", 2]
    process = start_command(["train", *run], tmp_path / "errors")
    try:
        wait_for_epoch(process, tmp_path / "run", epoch=2)
        os.killpg(process.pid or 0, number)  # as a terminal or a batch system does: the workers get it too
        process.join(120)
    finally:
        process.kill()
    assert process.exitcode == code, (tmp_path / "errors").read_text()
    stopped = read_checkpoint(tmp_path / "run" / "training.ckpt")["training"]
    assert stopped["epoch"] < LONG
    resumed = call("train", *words, "--resume", "OUTPUT_DIR", tmp_path / "run")
    assert resumed.returncode == 0, resumed.stderr
    weights = read_checkpoint(tmp_path / "run" / "model.ckpt")["model"]
    assert all(torch.equal(weights[name], straight[name]) for name in straight)


@pytest.mark.parametrize(
    ("tool", "words", "message"),
    [
        ("train", ["DATA.ROOT", "nowhere"], "nowhere"),
        (
            "train",
            ["SEEDS", "1"],
            "unknown config key 'SEEDS' in the command line; the nearest one is 'SEED'",
        ),
        ("train", ["--config-file", "x.py"], "only .yml and .yaml are read"),
        ("train", ["SOLVER.BASE_LR", "fast"], "SOLVER.BASE_LR in the command line must be a finite number"),
        ("test", ["MODEL.WEIGHTS", "none.ckpt"], "weights none.ckpt do not exist"),
        ("test", [], "no weights to test"),
    ],
)
def test_a_mistake_ends_in_one_sentence(tool: str, words: list[str], message: str) -> None:
    answer = call(tool, *words)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


def test_a_checkpoint_of_another_project_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    answer = call("test", "MODEL.WEIGHTS", tmp_path / "other.pth")
    assert answer.returncode == 1
    assert "is not a reid_gl checkpoint: expected format 'reid_gl/1'" in answer.stderr
