"""Calls functions in processes of their own, forked from one that has imported everything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.distributed.run_ranks import forkserver

LIMIT = 300.0
"""Seconds after which a process is killed."""


@dataclass(frozen=True)
class Finished:
    """What a process leaves: its exit code, or minus the signal that killed it, and what it has written."""

    code: int | None
    output: str
    errors: str


def run_forked(work: Callable[..., object], *arguments: object) -> Finished:
    """Call a function that pickle finds by its name, for what must not happen in the process of the tests."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = forkserver().Process(target=_call, args=(work, arguments, output, errors))
        process.start()
        process.join(LIMIT)
        process.kill()
        process.join()
        return Finished(process.exitcode, output.read_text(), errors.read_text())


def _call(work: Callable[..., object], arguments: tuple[object, ...], output: Path, errors: Path) -> None:
    for number, path in ((1, output), (2, errors)):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)
    work(*arguments)
