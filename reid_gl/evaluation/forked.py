"""Processes that were forked from one that has evaluated already."""

from __future__ import annotations

import os
from functools import cache


@cache
def _first_process() -> int:
    """The process that evaluated first; a forked one inherits the answer."""
    return os.getpid()


def check_not_forked() -> None:
    """Raise in a process that was forked after its parent had evaluated.

    The threads of OpenMP, which torch and numba compute with, do not survive a fork: numba's end the process,
    torch's wait for ever.

    Raises:
        RuntimeError: this is such a process.
    """
    if _first_process() != os.getpid():
        raise RuntimeError(
            "this process was forked after its parent had evaluated, and threads of OpenMP do not survive "
            "that: start it with multiprocessing.get_context('spawn'), or before the parent evaluates"
        )
