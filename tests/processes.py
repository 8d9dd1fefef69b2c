"""Processes that are not children of the test."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path


def children_of(process: int | None) -> list[int]:
    """Ids of the processes that a process has started, in this order."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return sorted(int(child) for children in tasks for child in children.read_text().split())


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended; one that nobody waits for stays as a zombie."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_for_end(processes: Sequence[int], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if is_running(process)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)
