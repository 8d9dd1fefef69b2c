"""Lists all images below a folder; symbolic links are followed, but never in a cycle."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path

from reid_gl.data.datasets.own.own_data import is_within
from reid_gl.data.datasets.reading.entries import is_folder, is_image

logger = logging.getLogger(__name__)

MOST_WAYS = 100
"""To one folder, through links: folders that link to one another have more ways than can be followed."""


def list_tree(root: Path) -> list[str]:
    """List all images below a folder; hidden files and folders, and files of other kinds, are ignored.

    Args:
        root: the folder to search.

    Returns:
        Paths relative to the root, parts joined by /, sorted.

    Raises:
        NotADirectoryError: the root is a file.
        FileNotFoundError: no such folder, or a broken link.
        ValueError: a pipe, socket or device has the name of an image, or links lead to one folder in
            more than MOST_WAYS ways.
    """
    if root.is_file():
        raise NotADirectoryError(f"{root} is a file: give the folder that holds the images")
    if not root.is_dir():
        raise FileNotFoundError(f"folder {root} does not exist: give the folder that holds the images")
    found: list[str] = []
    ways: Counter[str] = Counter()
    waiting: list[tuple[str, tuple[str, ...]]] = [
        ("", (os.path.realpath(root),))
    ]  # a folder, and the resolved paths of all folders above it
    while waiting:
        prefix, above = waiting.pop()
        ways[above[-1]] += 1
        if ways[above[-1]] > MOST_WAYS:
            raise ValueError(
                f"links below {root} lead to {above[-1]} in more than {MOST_WAYS} ways: remove links between "
                "these folders, or give a folder without them"
            )
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
