"""Reads text lists of vehicle images: VehicleID and VERI-Wild."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.untrusted.regular_file import quoted, read_lines

AGAIN = "take it from the data set again"


def read_vehicle_list(path: Path, row: str, *, example: str, num_titles: int = 0) -> dict[str, re.Match[str]]:
    """Read a list with an image in each line; line ends of any system and empty lines do not matter.

    Args:
        path: text in UTF-8.
        row: regular expression of a line; its group "image" is the path, and cannot leave its folder.
        example: a valid row, for messages.
        num_titles: number of title lines to skip.

    Returns:
        The match of each row, by image, in the order of the list.

    Raises:
        ValueError: a line does not match, an image is named twice, there is no row, or the text is not UTF-8.
    """
    lines = [line.strip() for line in read_lines(path)]
    rows: dict[str, re.Match[str]] = {}
    for number, line in enumerate(lines[num_titles:], start=1 + num_titles):
        match = re.fullmatch(row, line)
        if line and (match is None or match["image"] in rows):
            wish = f"expected a row such as {example!r}" if match is None else "expected each image once"
            raise ValueError(f"line {number} of {path} reads {quoted(line)}: {wish}; {AGAIN}")
        if match:
            rows[match["image"]] = match
    if not rows:
        raise ValueError(f"{path} names no image: expected rows such as {example!r}; {AGAIN}")
    return rows
