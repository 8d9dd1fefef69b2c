"""Lists all images below a folder; symbolic links are followed, but never in a cycle."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from reid_gl.data.datasets.own.own_data import is_within
from reid_gl.data.datasets.reading.entries import is_folder, is_image

logger = logging.getLogger(__name__)


def list_tree(root: Path) -> list[str]:
    """List all images below a folder; hidden files and folders, and files of other kinds, are ignored.

    Args:
        root: the folder to search.

    Returns:
        Paths relative to the root, parts joined by /, sorted.

    Raises:
        NotADirectoryError: the root is a file.
        FileNotFoundError: no such folder, or a broken link.
        ValueError: a pipe, socket or device has the name of an image.
    """
    if root.is_file():
        raise NotADirectoryError(f"{root} is a file: give the folder that holds the images")
    if not root.is_dir():
        raise FileNotFoundError(f"folder {root} does not exist: give the folder that holds the images")
    found: list[str] = []
    waiting: list[tuple[str, tuple[str, ...]]] = [
        ("", (os.path.realpath(root),))
    ]  # a folder, and the resolved paths of all folders above it
    while waiting:
        prefix, above = waiting.pop()
        with os.scandir(os.path.join(root, prefix)) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        for entry in visible:
            below = prefix + entry.name
            if is_folder(entry):
                waiting += _enter(entry, below, above)
            elif is_image(entry):
                found.append(below)
    return sorted(found)


def _enter(entry: os.DirEntry[str], below: str, above: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the folder to visit, as a list of one; empty if it is a link to a folder that contains it."""
    if not entry.is_symlink():
        return [(f"{below}/", (*above[:-1], os.path.join(above[-1], entry.name)))]
    target = os.path.realpath(entry.path)
    if any(is_within(folder, target) for folder in above):
        logger.warning("link %s leads back to a folder around it: not followed", entry.path)
        return []
    return [(f"{below}/", (*above, target))]
