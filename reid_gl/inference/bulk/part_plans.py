"""Folders of parts: which extraction a folder belongs to, and which of its parts can be kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reid_gl.files import make_folder, write_text
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.row_digests import digest_rows
from reid_gl.untrusted.json_files import read_json_object

logger = logging.getLogger(__name__)

PART_ROWS = 1024
ON_ERROR = ("stop", "skip")
"""What to do if an image cannot be read."""


def part_ranges(num_rows: int, part_rows: int) -> dict[int, range]:
    """Map the first row of each part to its rows."""
    return {start: range(start, min(start + part_rows, num_rows)) for start in range(0, num_rows, part_rows)}


def check_on_error(on_error: str) -> None:
    """Refuse values other than ON_ERROR.

    Raises:
        ValueError: an unknown value.
    """
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error must be one of {', '.join(ON_ERROR)}, got {on_error!r}")


def check_any_readable(crops: CropList, rejected: Mapping[int, str]) -> None:
    """Refuse a list of which every row was rejected.

    Raises:
        ValueError: no row can be read.
    """
    if len(crops) and len(rejected) == len(crops):
        raise ValueError(f"none of the {len(crops):,} rows of {crops.name} can be read: {rejected[0]}")


def claim_folder(folder: Path, plan_file: str, plan: dict[str, Any]) -> None:
    """Claim a folder for a plan, or check that it was claimed for the same plan.

    Args:
        folder: folder of the parts, created if needed.
        plan_file: name of the file in the folder that holds the plan.
        plan: plain values that all parts depend on.

    Raises:
        ValueError: the folder was claimed for another plan, or its plan is damaged.
        FileExistsError: the folder holds other files.
    """
    path, plan = folder / plan_file, json.loads(json.dumps(plan))
    if path.is_file():
        before = read_json_object(path, advice=f"delete the folder {folder} to start again")
        changed = [name for name, value in plan.items() if _stated(before.get(name)) != _stated(value)]
        if changed:
            raise _other_work(folder, changed)
        return
    make_folder(folder)
    if foreign := sorted(file.name for file in folder.iterdir() if file.suffix != ".partial"):
        raise FileExistsError(
            f"{folder} holds {foreign[0]} and no unfinished extraction: move it away, or choose another "
            "output"
        )
    write_text(path, json.dumps(plan, indent=2))


def same_parts(
    crops: CropList, folder: Path, ranges: Mapping[int, range], digests: Mapping[int, str]
) -> list[int]:
    """Return the first rows of the parts whose images and boxes are still those of the list.

    Args:
        crops: the list.
        folder: folder of the parts, for messages.
        ranges: rows of each part by its first row.
        digests: digest of each part that exists, by its first row, "" if the part is broken; see digest_rows.

    Raises:
        ValueError: there are parts that can be read, but none of them belongs to the list.
    """
    whole = {start: digest for start, digest in digests.items() if digest}
    same = [
        start
        for start, digest in whole.items()
        if digest == digest_rows(crops, ranges[start].start, ranges[start].stop)
    ]
    if whole and not same:
        raise _other_work(folder, ["list"])
    if len(whole) < len(digests):
        broken = len(digests) - len(whole)
        logger.warning("%s: %d of %d parts cannot be read: computed again", folder, broken, len(digests))
    if len(same) < len(whole):
        logger.warning(
            "%s: the list has changed: %d of %d finished parts have the same images and are kept, the "
            "others are computed again",
            *(folder, len(same), len(whole)),
        )
    return same


def log_resumed(folder: Path, num_done: int, num_rows: int) -> None:
    """Say how much of the work earlier runs have done, if they have done any."""
    if num_done:
        logger.info("resuming after %s of %s features in %s", f"{num_done:,}", f"{num_rows:,}", folder)


def _stated(value: object) -> object:
    """Leave out entries that are None: a setting that did not exist yet was at its default, None."""
    if not isinstance(value, dict):
        return value
    return {name: content for name, content in value.items() if content is not None}


def _other_work(folder: Path, changed: list[str]) -> ValueError:
    return ValueError(
        f"{folder} holds another extraction ({', '.join(changed)} differ): resume it with its own images and "
        "network, or delete the folder"
    )
