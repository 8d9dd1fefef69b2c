"""Loads a table that lists images with identity, camera and split."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from reid_gl.data.datasets.own.own_data import LabelledImage, assemble, is_within, whole_number
from reid_gl.data.datasets.own.table_cells import (
    check_identity,
    parse_split,
    read_label,
    set_labels,
    with_slashes,
)
from reid_gl.data.datasets.own.table_columns import (
    BOX_COLUMNS,
    GROUP_COLUMNS,
    REQUIRED,
    ROLE_COLUMNS,
    TABLE_COLUMNS,
    choose_columns,
)
from reid_gl.data.datasets.own.table_files import (
    DEFAULT_NAME,
    find_tables,
    implied_split,
    read_rows,
    read_titles,
)
from reid_gl.data.datasets.reading.folders import require_files
from reid_gl.records import ReidDataset

TRUE_WORDS, FALSE_WORDS = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "", "nan", "none")
_WINDOWS_ROOT = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def load_table(root: str | Path) -> ReidDataset:
    r"""Load a table of images: CSV, TSV, Parquet, a list separated by spaces, or COCO JSON with identities.

    path is relative to the folder of the file and must stay inside it; / or \ separates folders. split is
    train, query or gallery; a file that is called as one of them needs no column. With the columns is_query
    and is_gallery, split may also be test or validation, and an image may be both query and gallery; it is
    then not compared with itself.

    The other columns are optional: camid, tracklet, clothes and date, numbers from 0 or names; the box in
    pixels, x2 and y2 exclusive; and ignore, true for a row to leave out. An identity may be any text. If all
    are whole numbers from -1, they are kept: 0 is a distractor unless a query has it, and -1 is junk, which
    is left out. Otherwise identities are numbered from 1 in the order of their names. No image is opened.

    Args:
        root: the file, or a folder that holds dataset.csv, one other such file, or one for each split.

    Returns:
        The data set, each part sorted by path; without a gallery, every query searches all the others.

    Raises:
        FileNotFoundError: no such file, or an image that it lists does not exist.
        ValueError: a table is invalid; the message names the line and the column.
        ImportError: a Parquet file, and pyarrow is not installed.
    """
    tables = find_tables(Path(root).expanduser())
    rows = [row for table in tables for row in _read_rows(table)]
    labels = {title: [texts.get(title, "") for _, texts in rows] for title in GROUP_COLUMNS}
    images = set_labels([image for image, _ in rows], labels)
    table = tables[0]
    listed_in = f"{table} (as paths from {table.parent}, with / between folders)"
    require_files([image.path for image in images], listed_in)
    is_named = len(tables) == 1 and table.stem != DEFAULT_NAME
    name = table.stem if is_named else table.absolute().parent.name
    return assemble(images, name=name, source=table if len(tables) == 1 else table.parent)


def _read_rows(table: Path) -> Iterator[tuple[LabelledImage, dict[str, str]]]:
    """Yield the images of a table, without those to ignore, and the texts of their GROUP_COLUMNS."""
    titles = read_titles(table)
    implied = implied_split(table)
    required = [title for title in REQUIRED if title != "split" or not implied]
    wanted = choose_columns(titles, table, required=required, known=TABLE_COLUMNS)
    locate = _make_locator(table)
    seen: dict[tuple[str, tuple[int, ...] | None], str] = {}
    num_rows = num_ignored = 0
    for place, cells in read_rows(table, titles, wanted):
        num_rows += 1
        if _is_true(cells, "ignore", place, table):
            num_ignored += 1
            continue
        cells.setdefault("split", implied)
        image, labels = _parse(cells, f"{place} of {table}", locate)
        key = (image.path, image.box)
        if seen.setdefault(key, place) != place:
            what = "image and box" if image.box else "image"
            raise ValueError(
                f"{place} of {table} names the same {what} as {seen[key]}, {cells['path']!r}: remove one "
                "of them"
            )
        for role in _roles(cells, image.split, place, table):
            yield replace(image, split=role), labels
    if not num_rows:
        raise ValueError(f"{table} has titles but no line below them: expected a line for each image")
    if num_ignored == num_rows:
        raise ValueError(f"ignore is true in every row of {table}: expected an image to be left")


def _parse(
    cells: dict[str, str], place: str, locate: Callable[[str, str], str]
) -> tuple[LabelledImage, dict[str, str]]:
    """Return the image of one row, and the texts of its GROUP_COLUMNS."""
    path = locate(cells["path"], place)
    identity = cells["pid"]
    check_identity(identity, place)
    labels = {title: read_label(cells, title, place) for title in GROUP_COLUMNS if title in cells}
    split = parse_split(cells["split"], place, has_roles=ROLE_COLUMNS[0] in cells)
    return LabelledImage(path, identity, split, box=_parse_box(cells, place)), labels


def _roles(cells: dict[str, str], split: str, place: str, table: Path) -> list[str]:
    """Return the splits of a row: its own, or for a test image those set by is_query and is_gallery."""
    if ROLE_COLUMNS[0] not in cells:
        return [split]
    roles = []
    for role, title in zip(("query", "gallery"), ROLE_COLUMNS, strict=True):
        roles += [role] if _is_true(cells, title, place, table) else []
    if (split == "train") == bool(roles) or (split in ("query", "gallery") and split not in roles):
        raise ValueError(
            f"{place} of {table}: split is {split!r}, but is_query and is_gallery say "
            f"{' and '.join(roles) or 'neither'}: correct one of them"
        )
    return roles or [split]


def _is_true(cells: dict[str, str], title: str, place: str, table: Path) -> bool:
    """Return whether a cell is true; a column that does not exist is false."""
    text = cells.get(title, "").lower()
    if text not in (*TRUE_WORDS, *FALSE_WORDS):
        raise ValueError(f"{place} of {table}: {title} must be true, false or empty, got {cells[title]!r}")
    return text in TRUE_WORDS


def _parse_box(cells: dict[str, str], place: str) -> tuple[int, int, int, int] | None:
    texts = [cells.get(title, "") for title in BOX_COLUMNS]
    if not any(texts):
        return None
    corners = []
    for title, text in zip(BOX_COLUMNS, texts, strict=True):
        corner = whole_number(text)
        if corner is None:
            raise ValueError(f"{place}: {title} must be a whole number of pixels, got {text!r}")
        corners.append(corner)
    x1, y1, x2, y2 = corners
    if x2 <= max(x1, 0) or y2 <= max(y1, 0):
        raise ValueError(
            f"{place}: box ({x1}, {y1}, {x2}, {y2}) is empty or outside the image: expected x1 < x2 and "
            "y1 < y2 in pixels, counted from 0 at the upper left"
        )
    return x1, y1, x2, y2


def _make_locator(table: Path) -> Callable[[str, str], str]:
    """Return a function that resolves a path of the table to a file and rejects files outside its folder."""
    root, real_root = os.fspath(table.parent), os.path.realpath(table.parent)

    @cache  # a table names few folders and many images
    def enter(above: str) -> str:
        """The folder, as a path below the root; empty if it is outside."""
        parts = [part for part in above.split("/") if part not in ("", ".")]
        folder = os.path.join(root, *parts)
        inside = ".." not in parts and is_within(os.path.realpath(folder), real_root)
        return folder if inside else ""

    def locate(printed: str, place: str) -> str:
        if "\0" in printed:
            raise ValueError(f"{place}: path must name an image, got {printed!r}")
        if os.path.isabs(printed) or _WINDOWS_ROOT.match(printed):
            raise ValueError(f"{place}: path {printed!r} is absolute: write it as seen from {root}")
        above, _, name = with_slashes(printed, root).rpartition("/")
        if name in ("", "."):
            raise ValueError(f"{place}: path must name an image, got {printed!r}")
        folder = enter(above)
        path = os.path.join(folder, name)
        leaves = not folder or name == ".."
        if leaves or (os.path.islink(path) and not is_within(os.path.realpath(path), real_root)):
            raise ValueError(
                f"{place}: path {printed!r} leaves the folder of the table, {root}: move the table or the "
                "image"
            )
        return path

    return locate
