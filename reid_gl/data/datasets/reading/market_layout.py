"""Reads the layout of Market-1501, three folders, which many data sets use."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from reid_gl.data.datasets.reading.counted_from_zero import count_from_one, is_counted_from_zero
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.records import JUNK_PID, ReidDataset, Sample

logger = logging.getLogger(__name__)

MARKET_FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
"""Training set, query and gallery."""

_NAME = re.compile(r"(-?\d+)_c0*([1-9]\d*)")
_PATTERN = "{identity}_c{camera, from 1}…, such as 0002_c1s1_000451_03.jpg or 0003_c2_f0044158.jpg"


def load_market_layout(
    root: str | Path,
    *,
    name: str = "custom",
    title: str = "",
    folder_names: tuple[str, ...] = (),
    published: SplitCounts | None = None,
) -> ReidDataset:
    """Load any data set in the layout of Market-1501; no image is opened.

    Identities and cameras may have any number; junk (-1) is left out, distractors (0) stay.

    Args:
        root: the folder that holds the three folders, its parent, or one of the three.
        name: name of the data set in results.
        title: its name in messages; `name` if empty.
        folder_names: possible names of its folder inside the parent.
        published: sizes to compare with; None for no comparison.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: a folder is missing or contains no image.
        ValueError: an image name does not give identity and camera.
    """
    folder_names = folder_names or (name,)
    layout = Layout(title or name, folder_names, (MARKET_FOLDERS,), market_tree(folder_names[0]))
    folder, variant = find_folder(root, layout)
    dataset = read_market_folders(folder, variant, name)
    if published is not None:
        check_counts(dataset, published, folder)
    return dataset


def read_market_folders(folder: Path, parts: tuple[str, ...], name: str) -> ReidDataset:
    """Read training set, query and gallery from three folders of images.

    Args:
        folder: the folder of the data set.
        parts: relative paths of training set, query and gallery.
        name: name of the data set in results.

    Returns:
        The data set without junk, each part sorted by file name. If a query has identity 0, identities count
        from 0, and each is increased by one.

    Raises:
        FileNotFoundError: a folder has no image.
        ValueError: an image name does not give identity and camera.
    """
    train, query, gallery = (_read_folder(folder / part) for part in parts)
    if is_counted_from_zero(query, name=name, source=folder / parts[1]):
        train, query, gallery = (tuple(count_from_one(side)) for side in (train, query, gallery))
    return ReidDataset(train, query, gallery, name)


def market_tree(folder_name: str, suffix: str = "jpg") -> str:
    """Return the layout as text for messages.

    Args:
        folder_name: the topmost folder.
        suffix: suffix of the images.

    Returns:
        Text of four lines.
    """
    train, query, gallery = MARKET_FOLDERS
    return (
        f"{folder_name}/\n"
        f"    {train + '/':<20} training set: 0002_c1….{suffix} ({{identity}}_c{{camera}}…)\n"
        f"    {query + '/':<20} query\n"
        f"    {gallery + '/':<20} gallery; 0000 is a distractor, -1 is junk"
    )


def _read_folder(folder: Path) -> tuple[Sample, ...]:
    """Return the samples of one folder by file name, without junk."""
    samples: list[Sample] = []
    strange: list[str] = []
    for name in list_images(folder):
        match = _NAME.match(name)
        if match is None:
            strange.append(name)
        elif int(match[1]) != JUNK_PID:
            samples.append(Sample(os.path.join(folder, name), int(match[1]), int(match[2]) - 1))
    if strange:
        others = f" ({len(strange) - 1:,} more like it)" if len(strange) > 1 else ""
        raise ValueError(
            f"file name {strange[0]!r}{others} in {folder} does not say identity and camera: "
            f"expected {_PATTERN}; rename the file or move it out of this folder"
        )
    return tuple(samples)
