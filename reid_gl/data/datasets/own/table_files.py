"""Reads the cells of a CSV, TSV or Parquet table as text."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from reid_gl.data.datasets.own.parquet_files import ParquetTable
from reid_gl.untrusted.regular_file import read_lines, why_no_file

DELIMITERS = {".csv": ",", ".tsv": "\t"}
PARQUET = ".parquet"
TABLE_SUFFIXES = (*DELIMITERS, PARQUET)
DEFAULT_NAME = "dataset"
MAX_BYTES, MAX_COLUMNS = 4_000_000_000, 10_000


def find_table(root: Path) -> Path:
    """Find the table file.

    Args:
        root: the file, or a folder that holds dataset.csv or one other table.

    Returns:
        A file with one of TABLE_SUFFIXES.

    Raises:
        FileNotFoundError: no such file or folder, or no table in it.
        ValueError: a file of another kind, or several tables.
    """
    if root.is_file() and root.suffix.lower() in TABLE_SUFFIXES:
        return root
    kinds = ", ".join(TABLE_SUFFIXES)
    if root.is_file():
        raise ValueError(f"{root} is not a table: expected a file ending in {kinds}")
    if not root.is_dir():
        raise FileNotFoundError(f"{root} {why_no_file(root)}: give a file ending in {kinds}, or its folder")
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.name[0] != ".")
    names = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    if f"{DEFAULT_NAME}.csv" in names:
        return root / f"{DEFAULT_NAME}.csv"
    if not names:
        raise FileNotFoundError(
            f"no table in {root}: expected {DEFAULT_NAME}.csv or one file ending in {kinds}"
        )
    if len(names) > 1:
        raise ValueError(
            f"{len(names)} tables in {root}, {', '.join(names[:5])}: give the one you mean, or call it "
            f"{DEFAULT_NAME}.csv"
        )
    return root / names[0]


def read_titles(path: Path) -> list[str]:
    """Read the titles of the columns.

    Args:
        path: file with one of TABLE_SUFFIXES.

    Returns:
        Titles without the spaces around them.

    Raises:
        ValueError: the file is empty or not such a table, or a title appears twice.
        ImportError: a Parquet file, and pyarrow is not installed.
    """
    if path.suffix.lower() == PARQUET:
        titles = ParquetTable(path).titles
    else:
        first = next(_lines_of(path), None)
        if first is None:
            raise ValueError(f"{path} is empty: expected a line of titles and a line for each image")
        titles = [title.strip() for title in first[1]]
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
        path: file with one of TABLE_SUFFIXES.
        titles: all columns, as read_titles gives them.
        wanted: the columns to read.

    Yields:
        The place of the row ("line 2", "row 1") and its cells by title, without the spaces around them.

    Raises:
        ValueError: the file is not such a table, or a row has more or fewer cells than titles.
        ImportError: a Parquet file, and pyarrow is not installed.
    """
    if path.suffix.lower() == PARQUET:
        for number, values in ParquetTable(path).rows(wanted):
            yield f"row {number}", values
        return
    places = [(title, titles.index(title)) for title in wanted]
    lines = _lines_of(path)
    next(lines)
    for number, cells in lines:
        if len(cells) != len(titles):
            raise ValueError(
                f"line {number} of {path} has {len(cells)} cells for {len(titles)} titles: put a cell that "
                'holds a separator into "quotes"'
            )
        yield f"line {number}", {title: cells[place].strip() for title, place in places}


def _lines_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of the lines that are not empty, starting with the titles."""
    lines = read_lines(path, max_bytes=MAX_BYTES)
    reader = csv.reader(lines, delimiter=DELIMITERS[path.suffix.lower()], skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} of {path} cannot be read: {error}") from None
