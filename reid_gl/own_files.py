"""Files that a command may replace: its own of before, and no others unless it is told to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

MARK = "reid_gl"
"""What every page, image and description that a command writes contains."""
MAX_BYTES = 200_000_000
"""Larger files are none of those."""


def bears_mark(path: Path) -> bool:
    """Whether a file says that this package wrote it."""
    return path.is_file() and path.stat().st_size <= MAX_BYTES and MARK.encode() in path.read_bytes()


def check_replaceable(
    path: Path, *, force: bool = False, is_ours: Callable[[Path], bool] = bears_mark
) -> None:
    """See that a file may be written; call it before the work.

    Args:
        path: the file, which may not exist.
        force: replace the file whoever wrote it.
        is_ours: whether an existing file was written by the same command.

    Raises:
        IsADirectoryError: there is a folder of that name.
        FileExistsError: there is a file of somebody else.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file")
    if os.path.lexists(path) and not force and not is_ours(path):
        raise FileExistsError(
            f"{path} exists and this command did not write it: choose another name, or add --force to "
            "replace it"
        )
