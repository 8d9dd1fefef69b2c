"""Turn SIGINT and SIGTERM into a flag that a loop polls, or SIGTERM into an error that cleans up."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from reid_gl.distributed.ranks import is_joined

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def noted_signals() -> Iterator[Callable[[], int]]:
    """Record SIGINT and SIGTERM while the block runs; a second signal acts as usual.

    On several ranks a second signal changes nothing, because one order to stop often arrives twice, from the
    sender and from torchrun, which ends on its own what has not ended half a minute later.

    Yields:
        A function that returns the number of the recorded signal, or 0.
    """
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if is_joined():
            return
        logger.warning("signal %d: finishing the step and saving; send it again to stop immediately", number)
        for other, handler in before.items():
            signal.signal(other, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: noted[0] if noted else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class TerminatedError(KeyboardInterrupt):
    """SIGTERM arrived; like KeyboardInterrupt, it passes through code that handles errors."""


@contextlib.contextmanager
def termination_raises() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that its unfinished files are removed.

    Raises:
        TerminatedError: SIGTERM arrived.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
