"""Reads the files in which other programs keep the splits they drew: JSON, one object for each split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reid_gl.data.datasets.reading.splits import check_split
from reid_gl.untrusted.json_files import parse_json
from reid_gl.untrusted.regular_file import read_regular_file

MAX_BYTES = 100_000_000


def find_split_file(folder: Path, name: str, title: str) -> Path:
    """Find a file of splits in the folder of a data set or in the folder above it.

    Args:
        folder: the data set's folder.
        name: name of the file.
        title: name of the data set in the message.

    Raises:
        FileNotFoundError: it is in neither.
    """
    places = (folder, folder.resolve().parent)
    for place in places:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(
        f"{name} is neither in {folder} nor in the folder above it: it holds the splits of {title} that "
        "others use; copy it there, or use our own draws (the project's data/README.md says how)"
    )


def read_split(path: Path, keys: Sequence[str], split: int, title: str) -> dict[str, list[Any]]:
    """Read the lists of one split.

    Args:
        path: a JSON list with an object for each split.
        keys: the lists that each object must have.
        split: number of the split, from 0.
        title: name of the data set in messages.

    Returns:
        The lists, by key.

    Raises:
        ValueError: the file has another form, or there is no such split.
    """
    content = read_regular_file(path, max_bytes=MAX_BYTES)
    splits = parse_json(content, str(path), advice="take it again from where you got it")
    if not isinstance(splits, list) or not splits:
        raise ValueError(f"{path} is no list of splits: take it again from where you got it")
    check_split(split, len(splits), title)
    chosen = splits[split]
    if not isinstance(chosen, dict) or not all(isinstance(chosen.get(key), list) for key in keys):
        raise ValueError(
            f"split {split} of {path} lacks one of the lists {', '.join(keys)}: take the file again from "
            "where you got it"
        )
    return {key: chosen[key] for key in keys}
