"""Limit how many requests each client makes per second."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST_CLIENTS = 10_000
"""Number of clients that are remembered; the one not seen for the longest time is forgotten first."""


class RateLimit:
    """A bucket of permits for each client, which fills at a constant rate up to one second's worth.

    Args:
        rate: permits per second.
        clock: returns seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._size = max(1.0, rate)
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, client: Hashable) -> float:
        """Take a permit; return 0, or the seconds until there is one."""
        now = self._clock()
        level, since = self._buckets.pop(client, (self._size, now))
        level = min(self._size, level + (now - since) * self._rate)
        is_free = level >= 1.0
        self._buckets[client] = (level - is_free, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if is_free else (1.0 - level) / self._rate
