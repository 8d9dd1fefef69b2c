"""Finds a data set's folder, given the user's root, and lists its images; opens no image."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reid_gl.data.datasets.reading.entries import is_image
from reid_gl.data.datasets.reading.missing import describe_miss
from reid_gl.data.loading.images import IMAGE_SUFFIXES

WRAPPER_DEPTH = 3
"""How many levels of nested wrapper folders (named like the data set) are searched below the root."""


@dataclass(frozen=True)
class Layout:
    """What a data set looks like on disk.

    Attributes:
        title: name of the data set in messages.
        folder_names: usual names of its folder, compared without case.
        variants: alternative layouts; each lists relative paths that must all exist.
        tree: the expected tree, as messages show it.
    """

    title: str
    folder_names: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    tree: str


def find_folder(root: str | Path, layout: Layout) -> tuple[Path, tuple[str, ...]]:
    """Find the folder of a data set at, below or just above a root.

    Args:
        root: the data folder, its parent (also through wrappers with a common name), or a part of it.
        layout: what to look for; an earlier variant takes precedence over a later one in any folder.

    Returns:
        The folder and the variant found in it.

    Raises:
        FileNotFoundError: no folder matches; the message shows the expected tree, what was found, and the
            nearest match.
    """
    given = Path(root).expanduser()
    candidates = [given, *_named_below(given, layout.folder_names), *_enclosing(given, layout)]
    for variant in layout.variants:
        for folder in candidates:
            if all(os.path.exists(folder / entry) for entry in variant):
                return folder, variant
    raise FileNotFoundError(
        describe_miss(given, layout.title, layout.folder_names, layout.variants, layout.tree)
    )


def list_images(folder: Path) -> list[str]:
    """Return the sorted names of the images in a folder; hidden and other files (Thumbs.db) are ignored.

    Args:
        folder: the folder; subfolders are not searched.

    Returns:
        File names with one of IMAGE_SUFFIXES, in upper or lower case.

    Raises:
        FileNotFoundError: there are no images.
        ValueError: a pipe, socket or device has the name of one.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if is_image(entry))
    if not names:
        raise FileNotFoundError(
            f"no image in {folder}: expected files ending in {', '.join(IMAGE_SUFFIXES)}; "
            "unpack the data set again"
        )
    return names


def require_files(paths: Sequence[str], listed_in: str) -> None:
    """Check that files exist; lists each folder only once, for speed.

    Args:
        paths: files that must exist.
        listed_in: the file or files that name them, for the message.

    Raises:
        FileNotFoundError: one or more are missing.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        folder, name = os.path.split(os.path.abspath(path))
        wanted[folder].add(name)
    present = {folder: set(os.listdir(folder)) if os.path.isdir(folder) else set() for folder in wanted}
    missing = sorted(
        path
        for path in paths
        if os.path.basename(path) not in present[os.path.dirname(os.path.abspath(path))]
    )
    if missing:
        raise FileNotFoundError(
            f"{len(missing):,} of the {len(paths):,} images named in {listed_in} do not exist, the first "
            f"is {missing[0]}; unpack the data set again, lists and images of the same release"
        )


def _named_below(root: Path, folder_names: tuple[str, ...]) -> list[Path]:
    """Return folders named like the data set below the root, also nested in one another, nearest first."""
    order = {name.lower(): place for place, name in reversed(list(enumerate(folder_names)))}
    found: list[Path] = []
    level = [root]
    for _ in range(WRAPPER_DEPTH):
        level = [inner for folder in level for inner in _subfolders(folder, order)]
        found += level
    return found


def _subfolders(folder: Path, order: dict[str, int]) -> list[Path]:
    """Return the direct subfolders whose lower-case name is in `order`, in that order."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.lower() in order and entry.is_dir()]
    except OSError:  # does not exist, is a file, or is not readable: nothing to search
        return []
    return [folder / name for name in sorted(names, key=lambda name: (order[name.lower()], name))]


def _enclosing(root: Path, layout: Layout) -> list[Path]:
    """Return the folders that contain the data set if the root is a part of it, such as its query folder."""
    absolute = Path(os.path.abspath(root))
    found = []
    for entry in (entry for variant in layout.variants for entry in variant):
        parts = PurePosixPath(entry).parts
        for depth in range(1, len(parts) + 1):
            if absolute.parts[-depth:] == parts[:depth]:
                found.append(absolute.parents[depth - 1])
    return found
