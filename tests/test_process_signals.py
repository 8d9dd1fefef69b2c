"""Processes started with signals held back are in data/loading/test_loaders and comparing/test_jobs."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from reid_gl.process_signals import NUMBERS, release_signals, signals_held
from tests.processes import is_running, wait_for_end

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def noted() -> Iterator[list[int]]:
    """Signals that this process gets."""
    numbers: list[int] = []
    before = [signal.signal(number, lambda number, frame: numbers.append(number)) for number in NUMBERS]
    yield numbers
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)


def masked() -> set[int]:
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_comes_after_the_block(number: signal.Signals, noted: list[int]) -> None:
    before = masked()
    with pytest.raises(ZeroDivisionError), signals_held(FORK):  # noqa: PT012
        signal.raise_signal(number)
        assert noted == []
        assert masked() == before | {int(number) for number in NUMBERS}
        _ = 1 / 0
    assert noted == [number]
    assert masked() == before


def test_blocks_may_be_nested(noted: list[int]) -> None:
    with signals_held(FORK):
        with signals_held(FORK):
            signal.raise_signal(signal.SIGTERM)
        assert noted == []
    assert noted == [signal.SIGTERM]


def test_what_was_held_back_comes_when_the_process_is_ready(noted: list[int]) -> None:
    with signals_held(FORK):
        signal.raise_signal(signal.SIGINT)
        release_signals()
        assert noted == [signal.SIGINT]


POOL = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from reid_gl.process_signals import end_with_parent
with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", POOL], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.kill()
        wait_for_end([worker], seconds=10)
