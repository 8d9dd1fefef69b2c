"""Threads for work that would block the event loop, with a bounded queue and deadlines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from reid_gl.serve.refusals import BusyError

T = TypeVar("T")


class Lane:
    """Runs calls in threads of its own, in their order.

    Args:
        name: what it does, for messages.
        threads: number of threads.
        most: number of calls that wait or run at once; more are refused.
    """

    def __init__(self, name: str, *, threads: int, most: int) -> None:
        self._name, self._most, self._count = name, most, 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"reid_gl {name}")

    async def run(self, call: Callable[[], T], deadline: float) -> T:
        """Return the result of a call. Once it has started, it is waited for, whatever the deadline.

        Args:
            call: what to run.
            deadline: time.monotonic() by which it must have started.

        Raises:
            BusyError: the queue is full, or the call did not start in time; it never will.
        """
        if self._count >= self._most:
            raise BusyError(f"{self._most} requests wait for {self._name} already: try again later")
        self._count += 1
        try:
            return await until_started(self._pool.submit(call), self._name, deadline)
        finally:
            self._count -= 1

    def close(self) -> None:
        """Finish what was started."""
        self._pool.shutdown()


async def until_started(future: Future[T], name: str, deadline: float) -> T:
    """Wait for a future, which is given up if it has not started by the deadline; see Lane.run."""
    waiting = asyncio.wrap_future(future)
    done, _ = await asyncio.wait({waiting}, timeout=max(0.0, deadline - time.monotonic()))
    if not done and future.cancel():
        raise BusyError(f"the request waited too long for {name}: try again later")
    return await waiting
