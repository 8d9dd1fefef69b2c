"""Processes that run side by side; the functions here are what they call."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch

from reid_gl.experiment.comparing import jobs
from reid_gl.experiment.comparing.job_process import Job
from reid_gl.experiment.comparing.jobs import describe_rest, gpus_to_deal, run_jobs
from reid_gl.training.fit import Interrupted
from tests.distributed.run_ranks import forkserver

StopSignal = Callable[[], int]


@pytest.fixture(autouse=True)
def _quick_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork processes from one that has imported everything; test_compare_losses spawns some as users do."""
    context = forkserver()
    monkeypatch.setattr(jobs.multiprocessing, "get_context", lambda method: context)


def describe_share(path: Path, stop_signal: StopSignal) -> None:
    share = {"threads": torch.get_num_threads(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
    path.write_text(json.dumps(share))
    logging.getLogger("reid_gl.somewhere").info("the answer is %d", 42)
    sys.stdout.write("nobody sees this")


def fail(text: str, stop_signal: StopSignal) -> None:
    raise ValueError(text)


def die(stop_signal: StopSignal) -> None:
    os.write(2, b"last words")
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_signal(path: Path, stop_signal: StopSignal) -> None:
    deadline = time.monotonic() + 60
    while not (number := stop_signal()) and time.monotonic() < deadline:
        time.sleep(0.01)
    path.write_text(str(number))  # "everything saved"
    raise Interrupted(number)


def test_those_that_fail_are_named_with_their_messages_and_the_others_finish(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(jobs, "START_METHOD", forkserver().get_start_method())  # has imported everything
    caplog.set_level(logging.INFO, logger="reid_gl")
    todo = [
        Job("a", fail, ("no such image",)),
        Job("b", die, ()),
        Job("c", describe_share, (tmp_path / "c.json",)),
    ]
    with pytest.raises(ChildProcessError) as caught:
        run_jobs(todo, num_jobs=2, gpus=["5", "7", "9"])
    message = str(caught.value)
    assert message.startswith("2 of 3 runs failed, the others are finished and kept: ")
    assert "a: ValueError: no such image" in message
    assert "b: its process was killed by signal 9\nlast words" in message
    share = json.loads((tmp_path / "c.json").read_text())
    assert share["gpu"] in ("5", "7")  # two at the same time: the third GPU stays free
    assert share["threads"] == max(1, torch.get_num_threads() // 2)
    assert "[c] the answer is 42" in caplog.messages
    assert "a failed: ValueError: no such image" in caplog.messages
    assert "run 3 of 3: c" in caplog.messages
    assert "c is finished" in caplog.messages
    assert "3 of 3 runs are over" in caplog.messages
    assert "nobody" not in capfd.readouterr().out


def test_a_signal_reaches_a_process_that_still_imports_and_starts_no_other(tmp_path: Path) -> None:
    files, calls = [tmp_path / name for name in "ab"], count()
    todo = [Job(file.name, wait_for_signal, (file,)) for file in files]

    def stop_signal() -> int:
        return signal.SIGINT if next(calls) else 0

    with pytest.raises(Interrupted) as caught:
        run_jobs(todo, num_jobs=1, gpus=[], stop_signal=stop_signal)
    assert caught.value.signal_number == signal.SIGINT
    assert files[0].read_text() == "15"
    assert not files[1].exists()


def test_a_second_signal_ends_the_processes_at_once(tmp_path: Path) -> None:
    calls = count()

    def stop_signal() -> int:
        if next(calls):
            raise KeyboardInterrupt
        return 0

    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job("a", wait_for_signal, (tmp_path / "a",))], num_jobs=2, gpus=[], stop_signal=stop_signal)
    assert jobs.multiprocessing.active_children() == []


def test_the_time_left_is_what_the_finished_runs_took() -> None:
    ten_minutes_ago = time.perf_counter() - 600
    assert describe_rest(ten_minutes_ago, 2, 6) == ", about 20 min left"
    assert describe_rest(ten_minutes_ago, 0, 6) == describe_rest(ten_minutes_ago, 6, 6) == ""


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cuda", None, ["0", "1"]),
        ("auto", "3,GPU-5f", ["3", "GPU-5f"]),
        ("auto", "", ["0", "1"]),
        ("cuda:1", None, []),
        ("cpu", "3,5", []),
    ],
)
def test_which_gpus_are_dealt(
    device: str, visible: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus_to_deal(device) == expected
