"""Starts ranks as torchrun would, without the seconds that torchrun takes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT = 120.0
"""Seconds after which ranks that wait for one another are ended."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def rank_environment(rank: int, world_size: int, port: int) -> dict[str, str]:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "LOCAL_WORLD_SIZE": world_size}
    return {
        **os.environ,
        **{name: str(value) for name, value in places.items()},
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }


def start_ranks(module: str, words: list[str], world_size: int, **others: Any) -> list[subprocess.Popen[str]]:
    """One `python -m module words` for each rank."""
    port = free_port()
    return [
        subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env=rank_environment(rank, world_size, port),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **others,
        )
        for rank in range(world_size)
    ]


def finish(ranks: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each rank; none outlives this call."""
    try:
        outputs = [rank.communicate(timeout=LIMIT) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    return [(rank.returncode, *output) for rank, output in zip(ranks, outputs, strict=True)]


def run_ranks(work: Callable[..., None], world_size: int, *words: object) -> None:
    """Call a function of a module in tests/ on every rank, with the words as text; all must succeed."""
    words_ = [work.__module__, work.__name__, *map(str, words)]
    for code, _, errors in finish(start_ranks("tests.distributed.run_ranks", words_, world_size)):
        assert code == 0, errors


if __name__ == "__main__":
    import importlib

    from reid_gl.distributed.ranks import join_ranks

    with join_ranks():
        getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(*sys.argv[3:])
