"""Run the parts of a series side by side, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import torch
from tqdm import tqdm

from reid_gl.experiment.comparing.job_process import Job, Share, be_job
from reid_gl.process_signals import signals_held
from reid_gl.training.fit import Interrupted

logger = logging.getLogger(__name__)

START_METHOD: Final = "spawn"  # CUDA and OpenMP do not survive a fork
POLL_SECONDS = 0.2
MOST_LINES = 15
"""Lines of a process's last words that an error shows."""

StopSignal = Callable[[], int]


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
        Share(
            max(1, torch.get_num_threads() // count),
            gpus[slot % len(gpus)] if gpus else None,
            torch.backends.cudnn.benchmark,
        )
        for slot in range(count)
    ]
    bar = tqdm(total=len(jobs), unit="run", smoothing=0, disable=None)
    with tempfile.TemporaryDirectory() as folder, bar:
        failures = _run_on(shares, deque(jobs), Path(folder), bar, stop_signal)
    if failures:
        told = "; ".join(f"{name}: {message}" for name, message in failures.items())
        others = ", the others are finished and kept" if len(failures) < len(jobs) else ""
        raise ChildProcessError(
            f"{len(failures)} of {len(jobs)} runs failed{others}: {told}. The same command repeats only what "
            "is missing"
        )


def describe_rest(start: float, done: int, total: int) -> str:
    """Return ", about N min left" for the runs that are left, or "" if none is done or all are.

    Args:
        start: time.perf_counter() when the first run began.
        done: number of finished runs.
        total: number of all runs.
    """
    if not 0 < done < total:
        return ""
    minutes = (time.perf_counter() - start) / done * (total - done) / 60
    return f", about {minutes:.0f} min left"


def _run_on(
    shares: Sequence[Share],
    waiting: deque[Job],
    folder: Path,
    bar: tqdm[Any],
    stop_signal: StopSignal,
) -> dict[str, str]:
    """Keep all shares busy until nothing waits; return the messages of the jobs that failed, by name."""
    failures: dict[str, str] = {}
    running: list[_Running] = []
    free, number, total = deque(range(len(shares))), 0, len(waiting)
    start = time.perf_counter()
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
                if number:
                    continue
                if message:
                    failures[child.job.name] = message
                _report(child.job, message, start, total - len(waiting) - len(running), total)
    finally:
        for child in running:
            child.process.kill()
            child.process.join()
    if number:
        raise Interrupted(number)
    return failures


def _report(job: Job, message: str, start: float, done: int, total: int) -> None:
    """Log that a job is over, and how many of all are."""
    if message:
        logger.error("%s failed: %s", job.name, message)
    else:
        logger.info("%s is finished", job.name)
    logger.info("%d of %d runs are over%s", done, total, describe_rest(start, done, total))


def _start(job: Job, slot: int, share: Share, folder: Path) -> _Running:
    context = multiprocessing.get_context(START_METHOD)
    messages, sender = context.Pipe(duplex=False)
    words_file = folder / f"{slot}.txt"
    words_file.unlink(missing_ok=True)  # of the job before
    process = context.Process(target=be_job, args=(job, share, sender, words_file))
    with signals_held(context):
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
