"""Do the work of requests that arrive together in one go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from reid_gl.serve.lane import until_started
from reid_gl.serve.refusals import BusyError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Waiting(Generic[T, R]):
    """The work of one request.

    Attributes:
        item: what to work on.
        size: how much it is.
        future: gets its result.
    """

    item: T
    size: int
    future: Future[R] = field(default_factory=Future)


class Batcher(Generic[T, R]):
    """One thread that works. While it is busy, requests gather and form the next batch.

    Args:
        name: what works, for messages.
        unit: what sizes count, for messages.
        work: takes the items of a batch and yields, in any order, the place of each with its result, or with
            the error of this item alone.
        batch_size: largest size of a batch; a larger request is a batch of its own.
        most: largest size that waits; a request beyond that is refused, unless it is the only one.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        work: Callable[[Sequence[T]], Iterable[tuple[int, R | Exception]]],
        *,
        batch_size: int,
        most: int,
    ) -> None:
        self._name, self._unit, self._do = name, unit, work
        self._batch_size, self._most = batch_size, most
        self._queue: deque[Waiting[T, R]] = deque()
        self._size, self._is_closed = 0, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"reid_gl {name}", daemon=True)
        self._thread.start()

    @property
    def size_waiting(self) -> int:
        """Size of what waits."""
        return self._size

    async def run(self, item: T, size: int, deadline: float) -> R:
        """Return the result of an item.

        Args:
            item: what to work on.
            size: how much it is, at least 1.
            deadline: time.monotonic() by which its batch must have started.

        Raises:
            BusyError: too much waits, or its batch did not start in time.
        """
        with self._changed:
            if self._queue and self._size + size > self._most:
                raise BusyError(f"{self._size} {self._unit} wait for {self._name} already: try again later")
            waiting: Waiting[T, R] = Waiting(item, size)
            self._queue.append(waiting)
            self._size += size
            self._changed.notify()
        return await until_started(waiting.future, self._name, deadline)

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            started = [waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()]
            if started:
                self._run(started)

    def _next_batch(self) -> list[Waiting[T, R]]:
        """Wait for requests, and take as many as fit into a batch; none if the batcher is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            batch: list[Waiting[T, R]] = []
            size = 0
            while self._queue and (not batch or size + self._queue[0].size <= self._batch_size):
                batch.append(self._queue.popleft())
                size += batch[-1].size
            self._size -= size
        return batch

    def _run(self, batch: Sequence[Waiting[T, R]]) -> None:
        try:
            for place, result in self._do([waiting.item for waiting in batch]):
                if isinstance(result, Exception):
                    batch[place].future.set_exception(result)
                else:
                    batch[place].future.set_result(result)
        except Exception as error:  # of any kind: the thread must live, and the requests must end
            for waiting in batch:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
