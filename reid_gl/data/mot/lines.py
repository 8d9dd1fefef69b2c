"""Read lines of numbers from MOT Challenge files, with errors that name the line."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_gl.untrusted.regular_file import quoted, read_lines, why_no_file

LINES_AT_ONCE = 50_000
PLAIN = re.compile(r"[-+.,0-9eE \t\r\n]*")
"""Text in which NumPy and Python read the same numbers, if both can read it."""


def read_numbers(path: Path, columns: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the numbers of a file, (M, columns), and the line number of each row."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} {why_no_file(path)}")
    lines = read_lines(path)
    tables: list[NDArray[np.float64]] = []
    numbers: list[NDArray[np.int64]] = []
    start, width = 1, 0  # width 0 before the first row
    while batch := list(islice(lines, LINES_AT_ONCE)):
        table = _parse_plain(batch)
        places = np.arange(start, start + len(batch))
        if table is None or table.shape[1] not in columns or table.shape[1] != (width or table.shape[1]):
            first = (int(numbers[0][0]), width) if width else None
            table, places = _parse_one_by_one(batch, start, path, columns, first)
        if len(table):
            width = table.shape[1]
            tables.append(table)
            numbers.append(places)
        start += len(batch)
    if not width:
        return np.empty((0, columns[0])), np.empty(0, dtype=np.int64)
    return np.concatenate(tables), np.concatenate(numbers)


def _parse_plain(lines: list[str]) -> NDArray[np.float64] | None:
    """Parse lines of the usual form all at once; None if any has another form, or is empty."""
    text = "".join(lines)
    if not text.strip() or not PLAIN.fullmatch(text):
        return None
    try:
        table = np.loadtxt(lines, delimiter="," if "," in text else None, comments=None, ndmin=2)
    except ValueError:  # a line that _parse_line may accept or explain
        return None
    return table if len(table) == len(lines) else None


def _parse_one_by_one(
    lines: list[str], start: int, path: Path, columns: tuple[int, int], first: tuple[int, int] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Parse lines of any form.

    Args:
        lines: some lines of the file.
        start: number of the first of them.
        path: the file.
        columns: the allowed widths.
        first: number and width of the file's first row; None if it is yet to come.

    Returns:
        The rows (M, width) and their line numbers (M,).
    """
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, start=start):
        if not line.strip():
            continue
        row = _parse_line(line, f"{path} line {number}", columns)
        first = first or (number, len(row))
        if len(row) != first[1]:
            raise ValueError(f"{path} line {number} has {len(row)} numbers, line {first[0]} has {first[1]}")
        rows.append(row)
        numbers.append(number)
    return np.array(rows, dtype=np.float64), np.array(numbers, dtype=np.int64)


def _parse_line(line: str, place: str, columns: tuple[int, int]) -> list[float]:
    """Return the numbers of one line."""
    try:
        words = line.strip().rstrip(",").split(",") if "," in line else line.split()
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError(
            f"{place}: expected numbers with commas or spaces between them, got {quoted(line.strip())}"
        ) from None
    if len(values) not in columns:
        raise ValueError(f"{place}: expected {columns[0]} or {columns[1]} numbers, got {len(values)}")
    return values


def check_rows(good: NDArray[np.bool_], lines: NDArray[np.int64], path: Path, rule: str) -> None:
    """Raise ValueError naming the first line that breaks a rule."""
    if not good.all():
        bad = lines[~good]
        more = f" ({len(bad) - 1:,} more lines like it)" if len(bad) > 1 else ""
        raise ValueError(f"{path} line {bad[0]}{more}: {rule}")
