"""Share one engine between several threads of a process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from reid_gl.gallery.interface.engine import Engine


class Turns:
    """Gives an engine to one thread at a time; the thread that has it may take it again.

    Args:
        engine: an open engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine | None = engine
        self._name, self._lock, self._process = engine.name, threading.RLock(), os.getpid()

    @contextmanager
    def take(self) -> Iterator[Engine]:
        """Return the engine.

        Raises:
            RuntimeError: this process was forked after the gallery was opened; sharing it could damage it.
            ValueError: it is closed.
        """
        if self._process != os.getpid():
            raise RuntimeError(
                f"gallery {self._name} was opened before this process was forked: open it here"
            )
        with self._lock:
            if self._engine is None:
                raise ValueError(f"gallery {self._name} is closed")
            yield self._engine

    def close(self) -> None:
        """Close the engine, once; in a forked process do nothing."""
        if self._process != os.getpid():
            return
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            self._engine = None
