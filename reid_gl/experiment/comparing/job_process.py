"""The process of one job: its share of the machine, its messages, and how it stops."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import parent_process
from pathlib import Path
from typing import Any

import cv2
import numba
import torch

from reid_gl.process_signals import NUMBERS, release_signals
from reid_gl.training.fit import Interrupted

OWN_MESSAGES = (ValueError, TypeError, OSError, ImportError, ArithmeticError)
"""Errors that say in one sentence what is wrong; others are shown with their traceback."""


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
class Share:
    """What a process gets of the machine.

    Attributes:
        num_threads: threads of torch, numba and OpenCV.
        gpu: the only GPU that it sees, as CUDA_VISIBLE_DEVICES names it; None for all.
        tunes_convolutions: whether cuDNN tries its algorithms.
    """

    num_threads: int
    gpu: str | None
    tunes_convolutions: bool


def be_job(job: Job, share: Share, messages: Connection, words_file: Path) -> None:
    """Be the process of a job, which was started with signals held back.

    A signal, or the end of the process that started this one, asks the job to stop.

    Args:
        job: what to do.
        share: what this process gets of the machine.
        messages: gets ("log", logger, level, text) for each log message, then ("end", message), with "" or
            the message of the error. A process that dies sends no end.
        words_file: gets what is written to stdout and stderr.
    """
    noted: list[int] = []
    for number in NUMBERS:  # a terminal's Ctrl-C reaches every process
        signal.signal(number, lambda number, frame: noted.append(number))
    release_signals()
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
    with contextlib.suppress(OSError):  # nobody is left who listens
        messages.send(("end", message))


def _take(share: Share) -> None:
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
        """Send one message, unless nobody is left who listens."""
        with contextlib.suppress(OSError):
            self._messages.send(("log", record.name, record.levelno, record.getMessage()))
