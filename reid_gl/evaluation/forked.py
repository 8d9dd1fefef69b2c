"""Detect processes that were forked after their parent started to evaluate."""

from __future__ import annotations

import os
from functools import cache


@cache
def _first_process() -> int:
    """Return the id of the process that evaluated first; forked processes inherit the cached value."""
    return os.getpid()


def check_not_forked() -> None:
    """Raise in a process that was forked after its parent had evaluated.

    torch and numba compute with OpenMP threads, which do not survive a fork. After a fork, numba terminates
    the process and torch hangs forever.

    Raises:
        RuntimeError: this process was forked after its parent had evaluated.
    """
    if _first_process() != os.getpid():
        raise RuntimeError(
            "this process was forked after its parent had evaluated, and threads of OpenMP do not survive "
            "that: start it with multiprocessing.get_context('spawn'), or before the parent evaluates"
        )
