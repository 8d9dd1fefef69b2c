"""Start processes that no signal ends before they are ready for it, and that do not outlive their parent."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess, parent_process

NUMBERS = (signal.SIGINT, signal.SIGTERM)
"""What a terminal or a batch system sends, usually to all processes of a command."""
HAS_MASKS = hasattr(signal, "pthread_sigmask")  # Windows has none


@contextlib.contextmanager
def signals_held(context: BaseContext) -> Iterator[None]:
    """Hold back SIGINT and SIGTERM while the block starts processes, which begin with both held back.

    Otherwise a signal ends a process that still imports torch, and the server that "forkserver" forks
    processes from. This process gets the signals when the block ends; a started process gets them when it
    calls release_signals, and never if it ignores them.

    Args:
        context: multiprocessing's context that starts the processes.
    """
    if not HAS_MASKS:
        yield
        return
    if context.get_start_method() != "fork":
        resource_tracker.ensure_running()  # started inside the block, it would let the signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release_signals() -> None:
    """Get the signals that have been held back since this process was started, and all later ones."""
    if HAS_MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, NUMBERS)


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, even if that was killed.

    For a process that multiprocessing has spawned and that has nothing to save. Without this, the workers of
    a pool wait for tasks for ever when their parent is killed, because each of them keeps the queue open.
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
