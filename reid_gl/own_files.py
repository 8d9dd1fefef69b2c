"""Rules for replacing files: a command replaces only files that it wrote itself, unless forced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

MARK = "reid_gl"
"""Text that every page, figure and description written by a command contains."""
MAX_BYTES = 200_000_000
"""Larger files cannot be ours, so they are not read."""


def bears_mark(path: Path) -> bool:
    """Whether a file contains the mark of this package."""
    return path.is_file() and path.stat().st_size <= MAX_BYTES and MARK.encode() in path.read_bytes()


def check_replaceable(
    path: Path, *, force: bool = False, is_ours: Callable[[Path], bool] = bears_mark
) -> None:
    """Check that a file may be written; call this before the work starts.

    Args:
        path: the file; it need not exist.
        force: replace the file even if another program wrote it.
        is_ours: tells whether an existing file was written by the same command.

    Raises:
        IsADirectoryError: there is a folder of that name.
        FileExistsError: there is a file that this command did not write.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file")
    if os.path.lexists(path) and not force and not is_ours(path):
        raise FileExistsError(
            f"{path} exists and this command did not write it: choose another name, or add --force to "
            "replace it"
        )
