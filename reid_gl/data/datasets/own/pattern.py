"""Loads any tree of images; a regular expression reads identity, camera and split from each path."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.datasets.own.own_data import LabelledImage, assemble, number_names
from reid_gl.data.datasets.own.split_names import IGNORE, map_splits, read_split_map
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, ReidDataset

EXAMPLE = r"(?P<pid>\d+)_c(?P<camera>\d+)"
GROUPS = ("pid", "camera", "split", "tracklet", "clothes")
MAX_SHOWN = 3


def load_pattern(root: str | Path, pattern: str, *, split_map: str = "", leave_out: str = "") -> ReidDataset:
    r"""Load any tree of images; no image is opened.

    Identities keep their numbers if all are whole numbers. Otherwise they are numbered from 1 in the order
    of their names. The same holds for cameras, which are numbered from 0.

    Args:
        root: the folder of images, searched recursively.
        pattern: regular expression with the named group pid and, optionally, camera, split, tracklet and
            clothes. It is searched in each path relative to the root, with / as separator, such as
            "(?P<pid>\d+)_c(?P<camera>\d+)". Without the group split, the first folder of the path is the
            split.
        split_map: the split of names other than SPLIT_NAMES, as read_split_map reads it.
        leave_out: regular expression; images with a match of it in their path are left out. "" keeps all.

    Returns:
        The data set, each part sorted by path. Without a gallery, every query searches all the others.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: a pattern is invalid, does not match all paths, a path has no split, or an identity is
            in training and in test.
    """
    folder = Path(root).expanduser()
    images = read_pattern(folder, pattern, leave_out=leave_out)
    try:
        splits = map_splits({image.split for image in images}, read_split_map(split_map))
    except ValueError as error:
        raise ValueError(
            f"{folder}: {error}; the split is the group (?P<split>...) of the pattern or the first folder of "
            "the path"
        ) from None
    images = [replace(image, split=splits[image.split]) for image in images]
    kept = [image for image in images if image.split != IGNORE]
    # without a gallery there are no distractors, so a folder named 0 is an ordinary class
    searches_itself = not any(image.split == "gallery" for image in kept)
    lowest = DISTRACTOR_PID + 1 if searches_itself and "test" in splits else JUNK_PID
    return assemble(kept, name=Path(os.path.abspath(folder)).name, source=folder, lowest=lowest)


def read_pattern(folder: Path, pattern: str, *, leave_out: str = "") -> list[LabelledImage]:
    """Read the images of a tree, labelled by their paths; the split is copied from the path, unchecked.

    Args:
        folder: searched recursively.
        pattern: as in load_pattern.
        leave_out: as in load_pattern.

    Returns:
        Images sorted by path. A name of clothes or of a track belongs to one person (a track also to one
        camera), so the same name in another folder means others.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: a pattern is invalid or does not match all paths.
    """
    expression, unwanted = _compile(pattern), _compile_any(leave_out)
    paths = list_tree(folder)
    if not paths:
        raise FileNotFoundError(f"no image in {folder}: give the folder that holds the images")
    if leave_out:
        paths = [path for path in paths if not unwanted.search(path)]
        if not paths:
            raise ValueError(f"pattern '{leave_out}' leaves out every image in {folder}: correct it")
    found = [(path, match) for path in paths if (match := expression.search(path)) and match["pid"]]
    if len(found) < len(paths):
        _complain(pattern, folder, paths, {path for path, _ in found})
    groups = [{name: text or "" for name, text in match.groupdict().items()} for _, match in found]
    cameras = number_names(
        (group["camera"] for group in groups if group.get("camera")), first=0, lowest=0, kind="cameras"
    )
    tracks = _number_within(groups, "tracklet", ("pid", "camera"))
    clothes = _number_within(groups, "clothes", ("pid",))
    return [
        LabelledImage(
            os.path.join(folder, *path.split("/")),
            group["pid"],
            group["split"] if "split" in group else path.split("/")[0],
            cameras.get(group.get("camera", ""), -1),
            tracklet=tracks[place],
            clothes=clothes[place],
        )
        for place, ((path, _), group) in enumerate(zip(found, groups, strict=True))
    ]


def _number_within(groups: Sequence[dict[str, str]], title: str, owners: tuple[str, ...]) -> list[int]:
    """Number the names of a group from 0, each apart for each owner; -1 where there is none."""
    keys = [tuple(group.get(name, "") for name in (*owners, title)) for group in groups]
    numbers = {key: number for number, key in enumerate(sorted({key for key in keys if key[-1]}))}
    return [numbers.get(key, -1) for key in keys]


def _compile_any(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern '{pattern}' is not a regular expression: {error}") from None


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        expression = _compile_any(pattern)
    except ValueError as error:
        raise ValueError(f"{error}; an example: {EXAMPLE}") from None
    unknown = sorted(expression.groupindex.keys() - set(GROUPS))
    if "pid" not in expression.groupindex or unknown:
        reason = f"unknown groups {', '.join(unknown)}" if unknown else "no group (?P<pid>...)"
        raise ValueError(
            f"pattern '{pattern}' has {reason}: expected the named group pid and, optionally, "
            f"{', '.join(GROUPS[1:])}, such as {EXAMPLE}"
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
