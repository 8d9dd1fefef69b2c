"""Reads the cells of a CSV, TSV or Parquet table, of a list separated by spaces, or of COCO JSON as text."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from reid_gl.data.datasets.own.coco_files import CocoTable
from reid_gl.data.datasets.own.own_data import SPLITS
from reid_gl.data.datasets.own.parquet_files import ParquetTable
from reid_gl.untrusted.csv_lines import MAX_BYTES, read_csv_lines
from reid_gl.untrusted.regular_file import read_lines, why_no_file

DELIMITERS = {".csv": ",", ".tsv": "\t"}
PARQUET = ".parquet"
TABLE_SUFFIXES = (*DELIMITERS, PARQUET)
LIST, COCO = ".txt", ".json"
ALL_SUFFIXES = (*TABLE_SUFFIXES, LIST, COCO)
"""A folder may hold other .txt and .json files: they are read only if given, or called as a split."""
LIST_TITLES = ("path", "pid", "camid")
"""Columns of a list without titles; the third one is optional."""
DEFAULT_NAME = "dataset"
MAX_COLUMNS = 10_000


def find_tables(root: Path) -> list[Path]:
    """Find the file or files of a data set.

    Args:
        root: the file, or a folder that holds dataset.csv, one other table, or a file for each split:
            train, query and gallery with any of ALL_SUFFIXES.

    Returns:
        Files with one of ALL_SUFFIXES; several are called as different splits, in the order of SPLITS.

    Raises:
        FileNotFoundError: no such file or folder, or no table in it.
        ValueError: a file of another kind, or several tables.
    """
    if root.is_file() and root.suffix.lower() in ALL_SUFFIXES:
        return [root]
    kinds = ", ".join(ALL_SUFFIXES)
    if root.is_file():
        raise ValueError(f"{root} is not a table: expected a file ending in {kinds}")
    if not root.is_dir():
        raise FileNotFoundError(f"{root} {why_no_file(root)}: give a file ending in {kinds}, or its folder")
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.name[0] != ".")
    tables = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    if f"{DEFAULT_NAME}.csv" in tables:
        return [root / f"{DEFAULT_NAME}.csv"]
    parts = [name for name in names if Path(name).suffix.lower() in ALL_SUFFIXES and implied_split(name)]
    if len({Path(name).stem for name in parts}) == len(parts) and set(tables) <= set(parts) and parts:
        return [root / name for name in sorted(parts, key=lambda name: SPLITS.index(Path(name).stem))]
    if not tables:
        raise FileNotFoundError(
            f"no table in {root}: expected {DEFAULT_NAME}.csv, one file ending in "
            f"{', '.join(TABLE_SUFFIXES)}, or a file for each of {', '.join(SPLITS)}, ending in {kinds}"
        )
    if len(tables) > 1:
        raise ValueError(
            f"{len(tables)} tables in {root}, {', '.join(tables[:5])}: give the one you mean, call it "
            f"{DEFAULT_NAME}.csv, or call them {', '.join(SPLITS)} if each is one split"
        )
    return [root / tables[0]]


def implied_split(path: str | Path) -> str:
    """Return the split that a file is called as; "" for another name."""
    stem = Path(path).stem
    return stem if stem in SPLITS else ""


def read_titles(path: Path) -> list[str]:
    """Read the titles of the columns.

    Args:
        path: file with one of ALL_SUFFIXES.

    Returns:
        Titles without the spaces around them.

    Raises:
        ValueError: the file is empty or not such a table, or a title appears twice.
        ImportError: a Parquet file, and pyarrow is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in (PARQUET, COCO):
        titles = (ParquetTable if suffix == PARQUET else CocoTable)(path).titles
    else:
        first = next(_lines_of(path), None)
        if first is None:
            raise ValueError(f"{path} is empty: expected a line of titles and a line for each image")
        titles = [title.strip() for title in first[1]]
        if suffix == LIST and LIST_TITLES[0] not in titles:
            titles = _list_titles(path, titles)
    if len(titles) > MAX_COLUMNS:
        raise ValueError(f"{path} has {len(titles):,} columns, more than {MAX_COLUMNS:,} are not read")
    twice = [title for title, count in Counter(titles).items() if count > 1]
    if twice:
        raise ValueError(f"{path} has two columns called {twice[0]!r}: rename or remove one")
    return titles


def read_rows(
    path: Path, titles: Sequence[str], wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield rows one by one; empty rows, which spreadsheets often leave, are skipped.

    Args:
        path: file with one of ALL_SUFFIXES.
        titles: all columns, as read_titles gives them.
        wanted: the columns to read.

    Yields:
        The place of the row ("line 2", "row 1", "annotation 1") and its cells by title, without the spaces
        around them.

    Raises:
        ValueError: the file is not such a table, or a row has more or fewer cells than titles.
        ImportError: a Parquet file, and pyarrow is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in (PARQUET, COCO):
        table, kind = (ParquetTable(path), "row") if suffix == PARQUET else (CocoTable(path), "annotation")
        for number, values in table.rows(wanted):
            yield f"{kind} {number}", values
        return
    columns = [(title, titles.index(title)) for title in wanted]
    advice = (
        "a path in such a list has no spaces"
        if suffix == LIST
        else 'put a cell that holds a separator into "quotes"'
    )
    for place, (number, cells) in enumerate(_lines_of(path)):
        if place == 0 and titles == [cell.strip() for cell in cells]:
            continue
        if len(cells) != len(titles):
            raise ValueError(
                f"line {number} of {path} has {len(cells)} cells for {len(titles)} titles: {advice}"
            )
        yield f"line {number}", {title: cells[column].strip() for title, column in columns}


def _list_titles(path: Path, cells: Sequence[str]) -> list[str]:
    """Return the titles of a list without any, from the cells of its first line."""
    if not 2 <= len(cells) <= len(LIST_TITLES):
        raise ValueError(
            f"line 1 of {path} has {len(cells)} parts: expected {' '.join(LIST_TITLES[:2])} and, optionally, "
            f"{LIST_TITLES[2]}, separated by spaces, or a line of titles with 'path' among them"
        )
    return list(LIST_TITLES[: len(cells)])


def _lines_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of the lines that are not empty, starting with the titles, if there are any."""
    if path.suffix.lower() != LIST:
        yield from read_csv_lines(path, delimiter=DELIMITERS[path.suffix.lower()])
        return
    for number, line in enumerate(read_lines(path, max_bytes=MAX_BYTES), start=1):
        if cells := line.split():
            yield number, cells
