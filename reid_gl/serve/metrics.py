"""Counts of the service in the text format of Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the histogram's intervals."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts requests, their times and batches; several threads may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._intervals: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._batches = self._images = 0

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        with self._lock:
            self._requests[route, status] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds
            counts = self._intervals.setdefault(route, [0] * (len(SECONDS) + 1))
            counts[bisect_left(SECONDS, seconds)] += 1

    def count_batch(self, num_images: int) -> None:
        """Count a batch that the network computes."""
        with self._lock:
            self._batches += 1
            self._images += num_images

    def text(self, *, requests_in_progress: int, images_waiting: int) -> str:
        """Return all counts, and two numbers of this moment, as Prometheus reads them."""
        with self._lock:
            lines = [*self._request_lines()]
            numbers = {
                "batches_total": (self._batches, "counter", "Batches that the network computed."),
                "images_total": (self._images, "counter", "Images that the network computed."),
            }
        numbers["requests_in_progress"] = (requests_in_progress, "gauge", "Requests in progress.")
        numbers["images_waiting"] = (images_waiting, "gauge", "Images that wait for the network.")
        for name, (value, kind, meaning) in numbers.items():
            lines += [*_head(name, kind, meaning), f"reid_gl_{name} {value}"]
        return "\n".join(lines) + "\n"

    def _request_lines(self) -> list[str]:
        lines = _head("requests_total", "counter", "Answered requests by route and HTTP status.")
        for (route, status), count in sorted(self._requests.items()):
            lines.append(f'reid_gl_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += _head("request_seconds", "histogram", "Time from the first byte to the answer.")
        for route, counts in sorted(self._intervals.items()):
            total = 0
            for end, count in zip([*map(str, SECONDS), "+Inf"], counts, strict=True):
                total += count
                lines.append(f'reid_gl_request_seconds_bucket{{route="{route}",le="{end}"}} {total}')
            lines.append(f'reid_gl_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}')
            lines.append(f'reid_gl_request_seconds_count{{route="{route}"}} {total}')
        return lines


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP reid_gl_{name} {meaning}", f"# TYPE reid_gl_{name} {kind}"]
