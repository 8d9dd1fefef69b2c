"""Reads image lists in text files: every line must match, and no path may leave the folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from reid_gl.untrusted.regular_file import quoted, read_lines

AGAIN = "take it from the data set again"


def read_image_list(
    path: Path, folder: str | Path, *, titles: str, row: str, example: str, counted: bool = False
) -> dict[str, re.Match[str]]:
    """Read a list with a line of titles and then an image in each line; no image is opened.

    Line ends of any system, a byte order mark, empty lines and blanks around a line do not matter.

    Args:
        path: text in UTF-8.
        folder: folder that the paths of the list are relative to.
        titles: the titles of its columns, separated by blanks.
        row: regular expression of the other lines; its group "path" is the image.
        example: a valid row, for messages.
        counted: whether a line before the titles gives the number of images.

    Returns:
        The match of each row, by image file, in the order of the list.

    Raises:
        ValueError: a line does not match, a path leaves the folder, an image is named twice, there is no row,
            the number of rows differs from the stated one, or the text is not UTF-8.
    """
    lines = _numbered_lines(path)
    count = int(_match(r"\d{1,18}", lines, 0, path, "the number of images")[0]) if counted else None
    _match(r"\s+".join(titles.split()), lines, int(counted), path, f"the titles {titles!r}")
    rows: dict[str, re.Match[str]] = {}
    for place in range(1 + counted, len(lines)):
        match = _match(row, lines, place, path, f"a row such as {example!r}")
        where = f"line {lines[place][0]} of {path}"
        image = place_inside(folder, match["path"], where)
        if image in rows:
            raise ValueError(f"{where} names {match['path']!r} again: expected each image once; {AGAIN}")
        rows[image] = match
    if not rows:
        raise ValueError(f"{path} names no image: expected rows such as {example!r}; {AGAIN}")
    if count not in (None, len(rows)):
        raise ValueError(f"{path} names {len(rows):,} images: line 1 says {count:,}; {AGAIN}")
    return rows


def place_inside(folder: str | Path, relative: str, where: str) -> str:
    """Join a folder and an untrusted path.

    Args:
        folder: the folder that must not be left.
        relative: path with slashes.
        where: the place that names the path, for the message.

    Returns:
        The file's path.

    Raises:
        ValueError: the path is empty, absolute (on any system), or contains '..'.
    """
    parts = relative.replace("\\", "/").split("/")
    is_absolute = parts[0] == "" or parts[0][1:2] == ":"  # with a drive, as on another system
    if is_absolute or ".." in parts or not set(parts) - {"", "."}:
        raise ValueError(
            f"{where} names the image {relative!r}: expected a path inside {folder}, not absolute and "
            f"without '..'; {AGAIN}"
        )
    return os.path.join(folder, *(part for part in relative.split("/") if part not in ("", ".")))


def _numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not empty, with their numbers from 1."""
    lines = (line.strip(" \t\r\n") for line in read_lines(path))
    return [(number, line) for number, line in enumerate(lines, start=1) if line]


def _match(
    pattern: str, lines: list[tuple[int, str]], place: int, path: Path, expected: str
) -> re.Match[str]:
    """Return the match of the line at a place; the line must exist and match."""
    if place >= len(lines):
        raise ValueError(f"{path} ends too early: expected {expected}; {AGAIN}")
    number, line = lines[place]
    match = re.fullmatch(pattern, line)
    if match is None:
        raise ValueError(f"line {number} of {path} reads {quoted(line)}: expected {expected}; {AGAIN}")
    return match
