"""Run the parts of a series side by side, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from typing import Any

import cv2
import numba
import torch
from tqdm import tqdm

from reid_gl.training.fit import Interrupted

logger = logging.getLogger(__name__)

OWN_MESSAGES = (ValueError, TypeError, OSError, ImportError, ArithmeticError)
"""Errors that say in one sentence what is wrong; others are shown with their traceback."""
POLL_SECONDS = 0.2
MOST_LINES = 15
"""Lines of a process's last words that an error shows."""

StopSignal = Callable[[], int]


@dataclass(frozen=True)
class Job:
    """A function to call in a process of its own, which leaves its result in files.

    Attributes:
        name: for messages.
        function: a module's function, called with the arguments and then a function that returns the number
            of the signal that asks to stop, or 0.
        arguments: can be pickled.
    """

    name: str
    function: Callable[..., object]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Share:
    """What a process gets of the machine; the GPU is named as in CUDA_VISIBLE_DEVICES, or None for all."""

    num_threads: int
    gpu: str | None
    tunes_convolutions: bool


@dataclass(frozen=True)
class _Running:
    job: Job
    slot: int
    process: BaseProcess
    messages: Connection
    words_file: Path


def gpus_to_deal(device: str) -> list[str]:
    """Return the GPUs that may be dealt to processes, as CUDA_VISIBLE_DEVICES names them.

    Args:
        device: MODEL.DEVICE; none are dealt if it names one GPU, or no GPU.
    """
    if device not in ("auto", "cuda"):
        return []
    count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [name.strip() for name in visible.split(",") if name.strip()][:count] or [
        str(index) for index in range(count)
    ]


def run_jobs(
    jobs: Sequence[Job], *, num_jobs: int, gpus: Sequence[str], stop_signal: StopSignal = lambda: 0
) -> None:
    """Call every job's function, several at the same time.

    Each process gets its share of this process's threads, and one GPU if there are any. Their log messages
    appear here with the job's name. A job that fails is reported at once, and the others continue.

    Args:
        jobs: what to do, in this order.
        num_jobs: processes at the same time, at least 1.
        gpus: result of gpus_to_deal.
        stop_signal: number of the signal that asks to stop, or 0; the running jobs then stop, too.

    Raises:
        Interrupted: stopped by a signal.
        ChildProcessError: jobs failed, named with their own messages; all others are finished.
    """
    count = max(1, min(num_jobs, len(jobs)))
    shares = [
        _Share(
            max(1, torch.get_num_threads() // count),
            gpus[slot % len(gpus)] if gpus else None,
            torch.backends.cudnn.benchmark,
        )
        for slot in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(jobs), unit="run", disable=None) as bar:
        failures = _run_on(shares, deque(jobs), Path(folder), bar, stop_signal)
    if failures:
        told = "; ".join(f"{name}: {message}" for name, message in failures.items())
        raise ChildProcessError(
            f"{len(failures)} of {len(jobs)} runs failed, the others are finished and kept: {told}. The same "
            "command repeats only what is missing"
        )


def _run_on(
    shares: Sequence[_Share],
    waiting: deque[Job],
    folder: Path,
    bar: tqdm[Any],
    stop_signal: StopSignal,
) -> dict[str, str]:
    """Keep all shares busy until nothing waits; return the messages of the jobs that failed, by name."""
    failures: dict[str, str] = {}
    running: list[_Running] = []
    free, number, total = deque(range(len(shares))), 0, len(waiting)
    try:
        while running or waiting:
            if not number and (number := stop_signal()):
                waiting.clear()
                for child in running:
                    child.process.terminate()  # it notes the signal and saves
            while waiting and free:
                logger.info("run %d of %d: %s", total - len(waiting) + 1, total, waiting[0].name)
                slot = free.popleft()
                running.append(_start(waiting.popleft(), slot, shares[slot], folder))
            bar.set_postfix_str(", ".join(child.job.name for child in running))
            wait([child.messages for child in running], timeout=POLL_SECONDS)
            for child in list(running):
                is_over, message = _listen(child)
                if not is_over:
                    continue
                running.remove(child)
                free.append(child.slot)
                bar.update()
                if message and not number:
                    logger.error("%s failed: %s", child.job.name, message)
                    failures[child.job.name] = message
    finally:
        for child in running:
            child.process.kill()
            child.process.join()
    if number:
        raise Interrupted(number)
    return failures


def _start(job: Job, slot: int, share: _Share, folder: Path) -> _Running:
    context = multiprocessing.get_context("spawn")  # CUDA and OpenMP do not survive a fork
    messages, sender = context.Pipe(duplex=False)
    words_file = folder / f"{slot}.txt"
    process = context.Process(target=_be_job, args=(job, share, sender, words_file))
    process.start()
    sender.close()
    return _Running(job, slot, process, messages, words_file)


def _listen(child: _Running) -> tuple[bool, str]:
    """Log what a process has sent; return whether it is over, and why it failed or ""."""
    message: str | None = None
    try:
        while message is None:
            if not child.messages.poll():
                return False, ""
            kind, *content = child.messages.recv()
            if kind == "log":
                name, level, text = content
                logging.getLogger(name).log(level, "[%s] %s", child.job.name, text)
            else:
                (message,) = content
    except EOFError:  # it died
        pass
    child.process.join()
    child.messages.close()
    if message is not None:
        return True, message
    code, words = child.process.exitcode or 0, child.words_file
    lines = words.read_text(encoding="utf-8", errors="replace").splitlines() if words.exists() else []
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return True, "\n".join([f"its process {how}", *lines[-MOST_LINES:]])


def _be_job(job: Job, share: _Share, messages: Connection, words_file: Path) -> None:
    """Be the process of a job: send its log messages, and at the end the error's message or ""."""
    noted: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal's Ctrl-C reaches every process
        signal.signal(number, lambda number, frame: noted.append(number))
    with words_file.open("wb") as file:  # one display: nothing that is not a message reaches the terminal
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    _take(share)
    package = logging.getLogger("reid_gl")
    package.handlers[:], package.propagate = [_Sender(messages)], False
    package.setLevel(logging.INFO)
    parent = parent_process()

    def stop_signal() -> int:
        if parent is not None and not parent.is_alive():
            return int(signal.SIGTERM)
        return noted[0] if noted else 0

    message = ""
    try:
        job.function(*job.arguments, stop_signal)
    except Interrupted as stop:
        message = f"stopped by signal {stop.signal_number}; its state is saved"
    except OWN_MESSAGES as error:
        message = f"{type(error).__name__}: {error}"
    messages.send(("end", message))


def _take(share: _Share) -> None:
    """Set what belongs to the whole process, before anything is computed in it."""
    torch.set_num_threads(share.num_threads)
    numba.set_num_threads(min(share.num_threads, numba.get_num_threads()))
    cv2.setNumThreads(share.num_threads)
    torch.backends.cudnn.benchmark = share.tunes_convolutions
    if share.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = share.gpu


class _Sender(logging.Handler):
    """Log handler that sends messages to the process that shows them."""

    def __init__(self, messages: Connection) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        """Send one message."""
        self._messages.send(("log", record.name, record.levelno, record.getMessage()))
