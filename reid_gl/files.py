"""Create output files and folders atomically."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks: leftovers stay there
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

IN_WORK = "-unfinished-"
JUST_MADE = 60.0
"""Seconds in which a folder may not have its lock yet."""


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its name if all goes well and disappears otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def finished_or_nothing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its name if all goes well and disappears otherwise."""
    with unfinished_beside(out) as unfinished:
        yield unfinished
        unfinished.rename(out)


@contextmanager
def unfinished_beside(out: Path) -> Iterator[Path]:
    """A folder to work in beside `out`, with the rights that the umask leaves; gone at the end.

    What a process that was killed has left of such folders is removed first; those of living processes are
    locked and stay.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out)
    unfinished = out.with_name(f".{out.name}{IN_WORK}{secrets.token_hex(4)}")
    unfinished.mkdir()
    try:
        with _locked(unfinished):
            yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    for folder in out.parent.glob(f".{_literal(out.name)}{IN_WORK}*"):
        with contextlib.suppress(OSError):
            if fcntl is not None and time.time() - folder.stat().st_mtime > JUST_MADE:
                with _locked(folder):
                    logger.info("removing %s, which a stopped command left", folder)
                    shutil.rmtree(folder)


def _literal(name: str) -> str:
    """A name in which a glob finds no wildcards."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock.

    Raises:
        OSError: another process holds it.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
