"""Compute the features of requests that arrive together in one batch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8
from reid_gl.serve.lane import until_started
from reid_gl.serve.refusals import BusyError

Floats = NDArray[np.float32]
NAME = "the network"


class Waiting(NamedTuple):
    """Images of one request.

    Attributes:
        images: (N, height, width, 3) uint8 RGB.
        future: gets their features (N, D).
    """

    images: Image8
    future: Future[Floats]


class Batcher:
    """One thread that runs the network. While it is busy, requests gather and form the next batch.

    Args:
        embed: maps images (N, height, width, 3) uint8 RGB to features (N, D).
        batch_size: images of a batch; a request with more is a batch of its own.
        most_images: images that wait at once; a request beyond that is refused, unless it is the only one.
        on_batch: called with the number of images of each batch.
    """

    def __init__(
        self,
        embed: Callable[[Image8], Floats],
        *,
        batch_size: int,
        most_images: int,
        on_batch: Callable[[int], None],
    ) -> None:
        self._embed, self._batch_size, self._most_images = embed, batch_size, most_images
        self._on_batch = on_batch
        self._queue: deque[Waiting] = deque()
        self._num_images, self._is_closed = 0, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"reid_gl {NAME}", daemon=True)
        self._thread.start()

    @property
    def num_images(self) -> int:
        """Number of images that wait."""
        return self._num_images

    async def features(self, images: Image8, deadline: float) -> Floats:
        """Return features (N, D) of images (N, height, width, 3) uint8 RGB, N at least 1.

        Args:
            images: the resized images of one request.
            deadline: time.monotonic() by which their batch must have started.

        Raises:
            BusyError: too many images wait, or their batch did not start in time.
        """
        with self._changed:
            if self._queue and self._num_images + len(images) > self._most_images:
                raise BusyError(f"{self._num_images} images wait for {NAME} already: try again later")
            waiting = Waiting(images, Future())
            self._queue.append(waiting)
            self._num_images += len(images)
            self._changed.notify()
        return await until_started(waiting.future, NAME, deadline)

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

    def _next_batch(self) -> list[Waiting]:
        """Wait for requests, and take as many as fit into a batch; none if the batcher is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            batch: list[Waiting] = []
            size = 0
            while self._queue and (not batch or size + len(self._queue[0].images) <= self._batch_size):
                batch.append(self._queue.popleft())
                size += len(batch[-1].images)
            self._num_images -= size
        return batch

    def _run(self, batch: list[Waiting]) -> None:
        images = np.concatenate([waiting.images for waiting in batch])
        self._on_batch(len(images))
        try:
            features = self._embed(images)
        except Exception as error:  # of any kind: the thread must live, and the requests must end
            for waiting in batch:
                waiting.future.set_exception(error)
            return
        first = 0
        for waiting in batch:
            waiting.future.set_result(features[first : first + len(waiting.images)])
            first += len(waiting.images)
