"""Loads any tree of images; a regular expression reads identity, camera and split from each path."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.datasets.own.own_data import SPLITS, LabelledImage, assemble, number_names
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS
from reid_gl.records import ReidDataset

SPLIT_NAMES = {
    name: split for names in (SPLITS, MARKET_FOLDERS) for name, split in zip(names, SPLITS, strict=True)
}
EXAMPLE = r"(?P<pid>\d+)_c(?P<camera>\d+)"
MAX_SHOWN = 3


def load_pattern(root: str | Path, pattern: str) -> ReidDataset:
    r"""Load any tree of images; no image is opened.

    Identities keep their numbers if all are whole numbers. Otherwise they are numbered from 1 in the order
    of their names. The same holds for cameras, which are numbered from 0.

    Args:
        root: the folder of images, searched recursively.
        pattern: regular expression with the named group pid and, optionally, camera and split. It is searched
            in each path relative to the root, with / as separator, such as "(?P<pid>\d+)_c(?P<camera>\d+)".
            Without the group split, the first folder of the path must be train, query or gallery (or
            bounding_box_train, query, bounding_box_test).

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: the pattern is invalid, does not match all paths, a path has no split, or an identity is
            in training and in test.
    """
    folder = Path(root).expanduser()
    images = read_pattern(folder, pattern)
    wrong = [image for image in images if image.split not in SPLIT_NAMES]
    if wrong:
        raise ValueError(
            f"{len(wrong):,} images have no valid split, the first is {wrong[0].path} with "
            f"{wrong[0].split!r}: expected one of {', '.join(SPLIT_NAMES)}, as the group (?P<split>...) of "
            "the pattern or as the first folder of the path"
        )
    images = [replace(image, split=SPLIT_NAMES[image.split]) for image in images]
    return assemble(images, name=Path(os.path.abspath(folder)).name, source=folder)


def read_pattern(folder: Path, pattern: str) -> list[LabelledImage]:
    """Read the images of a tree, labelled by their paths; the split is copied from the path, unchecked.

    Args:
        folder: searched recursively.
        pattern: as in load_pattern.

    Returns:
        Images sorted by path.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: the pattern is invalid or does not match all paths.
    """
    expression = _compile(pattern)
    paths = list_tree(folder)
    if not paths:
        raise FileNotFoundError(f"no image in {folder}: give the folder that holds the images")
    found = [(path, match) for path in paths if (match := expression.search(path)) and match["pid"]]
    if len(found) < len(paths):
        _complain(pattern, folder, paths, {path for path, _ in found})
    groups = [(path, match.groupdict()) for path, match in found]
    named = [group["camera"] for _, group in groups if group.get("camera")]
    cameras = number_names(named, first=0, lowest=0, kind="cameras")
    return [
        LabelledImage(
            os.path.join(folder, *path.split("/")),
            group["pid"],
            group["split"] or "" if "split" in group else path.split("/")[0],
            cameras.get(group.get("camera") or "", -1),
        )
        for path, group in groups
    ]


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"pattern '{pattern}' is not a regular expression: {error}; an example: {EXAMPLE}"
        ) from None
    unknown = sorted(expression.groupindex.keys() - {"pid", "camera", "split"})
    if "pid" not in expression.groupindex or unknown:
        reason = f"unknown groups {', '.join(unknown)}" if unknown else "no group (?P<pid>...)"
        raise ValueError(
            f"pattern '{pattern}' has {reason}: expected the named group pid and, optionally, camera and "
            f"split, such as {EXAMPLE}"
        )
    return expression


def _complain(pattern: str, folder: Path, paths: list[str], fitting: set[str]) -> None:
    """Raise ValueError with the first path that the pattern does not match."""
    others = [path for path in paths if path not in fitting]
    raise ValueError(
        f"pattern '{pattern}' does not fit {len(others):,} of the {len(paths):,} images in {folder}, the "
        f"first is {others[0]!r}; the folder begins with {', '.join(map(repr, paths[:MAX_SHOWN]))}: correct "
        "the pattern or move these files away"
    )
