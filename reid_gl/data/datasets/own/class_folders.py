"""Loads own data in its simplest form: a folder for each split, with a folder for each identity inside."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.datasets.own.own_data import LabelledImage, assemble
from reid_gl.data.datasets.own.split_names import (
    IGNORE,
    LAYOUTS,
    RETRIEVAL_SPLITS,
    SPLIT_NAMES,
    map_splits,
    read_split_map,
)
from reid_gl.data.datasets.reading.class_images import list_folders
from reid_gl.data.datasets.reading.entries import is_folder
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import JUNK_PID, ReidDataset

logger = logging.getLogger(__name__)

MAX_SHOWN = 5
TREE = """\
your_folder/
    train/      {identity}/*.jpg, a folder for each person, class or vehicle
    query/      {identity}/*.jpg
    gallery/    {identity}/*.jpg
(or bounding_box_train/, query/ and bounding_box_test/; or train/ and test/ alone: every image of test/
searches all others of it; or other names and DATA.SPLIT_MAP, such as probe=query,database=gallery)"""
LAYOUT = Layout("a data set of class folders", ("dataset",), LAYOUTS, TREE)


def load_class_folders(root: str | Path, *, split_map: str = "") -> ReidDataset:
    """Load train, query and gallery (or train and test) with a folder for each identity; opens no image.

    If all folder names are whole numbers, these are the identities. Otherwise identities are numbered from 1
    in the order of the names. Cameras are unknown. With train and test, the gallery is empty and Recall@1, 2,
    4, 8 are reported.

    Args:
        root: the folder that holds the splits, or one of them.
        split_map: the split of folders with other names, as read_split_map reads it. With a map, root must
            be the folder that holds the splits.

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: the splits do not exist, or one of them has no image.
        ValueError: an image lies outside the identity folders, or an identity is in training and in test.
    """
    folder, splits = _mapped_folders(Path(root).expanduser(), split_map) if split_map else _find(root)
    images = [
        LabelledImage(image.path, image.identity, split)
        for name, split in splits.items()
        if split != IGNORE
        for image in read_identity_folders(folder / name)
    ]
    # without a gallery there are no distractors, so a folder named 0 is an ordinary class
    lowest = 1 if tuple(splits) == RETRIEVAL_SPLITS else JUNK_PID
    name = Path(os.path.abspath(folder)).name
    return assemble(images, name=name, source=folder, lowest=lowest)


def _find(root: str | Path) -> tuple[Path, dict[str, str]]:
    """Return the folder, and the split of each of its folders."""
    folder, names = find_folder(root, LAYOUT)
    return folder, {name: SPLIT_NAMES[name] for name in names}


def _mapped_folders(folder: Path, split_map: str) -> tuple[Path, dict[str, str]]:
    """Return the folder, and the split of each folder in it by the user's map."""
    names = list_folders(folder)
    try:
        return folder, map_splits(names, read_split_map(split_map))
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def read_identity_folders(folder: Path) -> list[LabelledImage]:
    """Read the images of a folder with a subfolder for each identity; warns about subfolders without images.

    Args:
        folder: parent of the identity folders; images may lie at any depth in them.

    Returns:
        Images sorted by path, each labelled with the name of its identity folder.

    Raises:
        FileNotFoundError: there are no images.
        ValueError: an image does not lie in an identity folder.
    """
    paths = [path.split("/") for path in list_tree(folder)]
    loose = [parts[0] for parts in paths if len(parts) == 1]
    if loose:
        raise ValueError(
            f"{len(loose):,} images lie in {folder} itself, the first is {loose[0]!r}: expected a folder "
            "for each identity, such as 0007/image.jpg; move them there, or say with a pattern which part of "
            "a name is the identity"
        )
    if not paths:
        raise FileNotFoundError(f"no image in {folder}: expected a folder of images for each identity")
    _warn_of_empty(folder, {parts[0] for parts in paths})
    return [LabelledImage(os.path.join(folder, *parts), parts[0]) for parts in paths]


def _warn_of_empty(folder: Path, with_images: set[str]) -> None:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name[0] != "." and is_folder(entry)]
    empty = sorted(set(names) - with_images)
    if empty:
        shown = ", ".join(repr(name) for name in empty[:MAX_SHOWN])
        more = f" and {len(empty) - MAX_SHOWN:,} more" if len(empty) > MAX_SHOWN else ""
        warn_once(logger, f"{len(empty):,} folders in {folder} hold no image and are left out: {shown}{more}")
