"""Create files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks, so leftovers are not removed there
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

IN_WORK = "-unfinished-"


def partial_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its name if all goes well and disappears otherwise."""
    partial = partial_of(path)
    partial.unlink(missing_ok=True)  # a link of that name would lead the writer to a file elsewhere
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file in one step, so that nobody reads half of it."""
    with whole_or_nothing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless it exists.

    Raises:
        NotADirectoryError: it, or one above it, is a file or a broken link.
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        for part in (folder, *folder.parents):
            if os.path.lexists(part) and not part.is_dir():
                kind = "not a folder" if part.exists() else "a link to nothing"
                raise NotADirectoryError(
                    f"folder {folder} cannot be made, because {part} is {kind}: remove it, or choose another "
                    "place"
                ) from error
        raise


@contextmanager
def finished_or_nothing(out: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `out`; it is renamed to `out` on success and deleted on failure.

    Raises:
        FileExistsError: `out` is a broken link, to which a folder cannot be renamed.
    """
    if out.is_symlink() and not out.exists():
        raise FileExistsError(f"{out} is a link to nothing: remove it, or choose another name")
    with unfinished_beside(out) as unfinished:
        yield unfinished
        unfinished.rename(out)


@contextmanager
def unfinished_beside(out: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `out`, with the permissions of the umask; it is deleted at the end.

    Leftover folders of killed processes are removed first. Folders of running processes are locked, and kept.
    """
    make_folder(out.parent)
    _remove_leftovers(out)
    key = secrets.token_hex(4)
    unlocked, unfinished = (out.with_name(f".{out.name}{word}{key}") for word in ("-unlocked-", IN_WORK))
    unlocked.mkdir()
    try:
        with _locked(unlocked):
            unlocked.rename(unfinished)  # only now, so that nobody takes it for a leftover
            yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    for folder in out.parent.glob(f".{_literal(out.name)}{IN_WORK}*"):
        with contextlib.suppress(OSError):
            if fcntl is not None:
                with _locked(folder):
                    logger.info("removing %s, which a stopped command left", folder)
                    shutil.rmtree(folder)


def _literal(name: str) -> str:
    """Escape the wildcards of a name for use in a glob pattern."""
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
