"""`train` under torchrun: processes that are killed, told to stop, and started again."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from reid_gl.models import read_checkpoint
from tests.distributed.run_ranks import (
    rank_environment,
    run_command,
    run_ranks,
    start_launcher,
    start_torchrun,
)
from tests.experiment.conftest import SMALL
from tests.made_up_people import write_people
from tests.processes import children_of, wait_for_end

pytestmark = pytest.mark.slow
LONG = 40
"""Epochs of a run that is to be interrupted: of three steps each."""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    people = write_people(tmp_path_factory.mktemp("people") / "market1501", num_people=4)
    return [*SMALL, "DATA.ROOT", str(people)]


def wait_for_epoch(launcher: BaseProcess, folder: Path, epoch: int) -> None:
    log = folder / "log.jsonl"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        text = log.read_text() if log.exists() else ""
        if f'"epoch": {epoch}, ' in text and (folder / "training.ckpt").exists():
            return
        assert launcher.is_alive()
        time.sleep(0.1)
    raise AssertionError("no step within five minutes")


def test_a_killed_rank_costs_at_most_what_came_after_the_last_checkpoint(
    words: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = [*words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", "8", "SOLVER.EVALUATE_EVERY", "4"]
    files = {"output": tmp_path / "output", "errors": tmp_path / "errors"}
    launcher = start_torchrun(words, "--max-restarts", "1", **files)
    try:
        wait_for_epoch(launcher, folder, 3)
        second = children_of(launcher.pid)[1]
        os.kill(second, signal.SIGKILL)
        launcher.join(120)
    finally:
        launcher.terminate()
    output, errors = (file.read_text() for file in files.values())
    assert launcher.exitcode == 0, errors
    assert "rank 0 of 2 lost another rank" in errors
    resumed_after = int(errors.split("resuming after epoch ")[1].split(",")[0])
    assert 2 <= resumed_after <= 8
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["type"] == "step"] == list(range(1, 9))
    assert len(output.splitlines()) == 1  # one rank prints the scores
    assert json.loads(output)["counts"]["queries"] == 4


def test_a_signal_to_torchrun_saves_once_and_ends_all(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = [*words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", str(LONG)]
    launcher = start_torchrun(words, output=tmp_path / "output", errors=tmp_path / "errors")
    try:
        wait_for_epoch(launcher, folder, 2)
    finally:
        launcher.terminate()
    launcher.join(120)
    assert launcher.exitcode
    check_stopped(folder, (tmp_path / "errors").read_text())


def test_ranks_of_a_killed_torchrun_save_once_and_end(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", *words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", str(LONG)]
    launcher = start_launcher(words, tmp_path / "errors")
    try:
        wait_for_epoch(launcher, folder, 2)
        found = children_of(launcher.pid)
    finally:
        launcher.kill()
    assert len(found) == 2
    wait_for_end(found, seconds=60)
    check_stopped(folder, (tmp_path / "errors").read_text())


def test_a_signal_to_one_rank_saves_once_and_ends_all(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", *words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", str(LONG)]
    found = run_ranks(train_until_signalled, 2, words, folder, joins=False)
    assert [code for code, _ in found] == [143, 143]
    check_stopped(folder, "".join(errors for _, errors in found))


def train_until_signalled(words: list[str], folder: Path) -> None:
    """Train; rank 1 sends itself a signal in epoch 2."""

    def send_signal() -> None:
        log = folder / "log.jsonl"
        while not (log.exists() and '"epoch": 2, ' in log.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    if os.environ["RANK"] == "1":
        threading.Thread(target=send_signal, daemon=True).start()
    run_command(words)


def check_stopped(folder: Path, errors: str) -> None:
    assert errors.count("stopped by signal 15; the state is saved; continue with --resume") == 1, errors
    assert "reid_gl/cli/train.py" not in errors  # of a traceback
    state = read_checkpoint(folder / "training.ckpt")["training"]
    assert state["epoch"] < LONG
    assert not list(folder.glob(".*.partial"))


def test_a_mistake_is_one_sentence(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", *words, "OUTPUT_DIR", str(folder), "SOLVER.IDENTITIES_PER_BATCH", "3"]
    (first, errors), others = run_ranks(run_command, 2, words, joins=False)
    assert first == 1
    assert errors.count("P=3 identities of a batch cannot be dealt evenly over 2 ranks") == 1
    assert others == (1, "")
    assert not folder.exists()


def test_torchrun_starts_no_other_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in rank_environment(0, 2, 29500).items():
        monkeypatch.setenv(name, value)
    assert main(["test"]) == 2
    assert capsys.readouterr().err == "torchrun can start train only; test is one process: start it without\n"
