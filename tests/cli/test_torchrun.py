"""`train` under torchrun: processes that are killed, told to stop, and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args

from reid_gl.cli.main import main
from reid_gl.models import read_checkpoint
from tests.distributed.run_ranks import rank_environment, run_command, run_ranks
from tests.experiment.conftest import SMALL
from tests.forked import run_forked
from tests.made_up_people import write_people

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LONG = 40
"""Epochs of a run that is to be interrupted: of three steps each."""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    people = write_people(tmp_path_factory.mktemp("people") / "market1501", num_people=4)
    return [*SMALL, "DATA.ROOT", str(people)]


@contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Two ranks under torchrun; torchrun ends what is left of them if the test fails."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launcher = subprocess.Popen(
        [*torchrun, "tools/train.py", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield launcher
    finally:
        if launcher.poll() is None:
            launcher.terminate()
            launcher.communicate()


def wait_for_epoch(process: subprocess.Popen[str], folder: Path, epoch: int) -> None:
    log = folder / "log.jsonl"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        text = log.read_text() if log.exists() else ""
        if f'"epoch": {epoch}, ' in text and (folder / "training.ckpt").exists():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    raise AssertionError("no step within five minutes")


def be_torchrun(words: list[str], folder: Path) -> None:
    """What `torchrun --max-restarts 1` does, except that it forks its ranks, which need not import torch."""
    place = "--nnodes 1 --rdzv-backend c10d --rdzv-endpoint localhost:0 --rdzv-id tests"
    options = f"{place} --nproc-per-node 2 --max-restarts 1 tools/train.py"
    config, _, _ = config_from_args(parse_args(options.split()))
    config.start_method = "fork"
    elastic_launch(config, train_until_killed)(words, folder)


def train_until_killed(words: list[str], folder: Path) -> None:
    """Train; rank 1 is killed in epoch 3, unless torchrun has restarted it."""
    if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == ("1", "0"):
        send_signal_in_epoch(3, folder, signal.SIGKILL)
    run_command(words)


def send_signal_in_epoch(epoch: int, folder: Path, number: signal.Signals) -> None:
    """Send a signal to this process as soon as the log shows a step of an epoch."""

    def send() -> None:
        log = folder / "log.jsonl"
        while not (log.exists() and f'"epoch": {epoch}, ' in log.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()


def test_a_killed_rank_costs_at_most_what_came_after_the_last_checkpoint(
    words: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = [*words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", "8", "SOLVER.EVALUATE_EVERY", "4"]
    done = run_forked(be_torchrun, ["train", *words], folder)
    assert done.code == 0, done.errors
    assert "rank 0 of 2 lost another rank" in done.errors
    resumed_after = int(done.errors.split("resuming after epoch ")[1].split(",")[0])
    assert 2 <= resumed_after <= 8
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["type"] == "step"] == list(range(1, 9))
    assert len(done.output.splitlines()) == 1  # one rank prints the scores
    assert json.loads(done.output)["counts"]["queries"] == 4


def test_a_signal_to_torchrun_saves_once_and_ends_all(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with started([*words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", str(LONG)]) as launcher:
        wait_for_epoch(launcher, folder, 2)
        launcher.send_signal(signal.SIGTERM)
        errors = launcher.communicate(timeout=120)[1]
    check_stopped(folder, errors)


def test_a_signal_to_one_rank_saves_once_and_ends_all(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", *words, "OUTPUT_DIR", str(folder), "SOLVER.NUM_EPOCHS", str(LONG)]
    found = run_ranks(train_until_signalled, 2, words, folder, joins=False)
    assert [code for code, _ in found] == [143, 143]
    check_stopped(folder, "".join(errors for _, errors in found))


def train_until_signalled(words: list[str], folder: Path) -> None:
    """Train; rank 1 sends itself a signal in epoch 2."""
    if os.environ["RANK"] == "1":
        send_signal_in_epoch(2, folder, signal.SIGTERM)
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
