"""Read the lines of a CSV or TSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from reid_gl.untrusted.regular_file import read_lines

MAX_BYTES = 4_000_000_000


def read_csv_lines(path: Path, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the number, from 1, and the cells of each line that is not empty, starting with the titles.

    A cell in quotes may hold line breaks; its line then has the number of its last one.

    Raises:
        ValueError: the file is larger than MAX_BYTES, is not text, or has broken quotes.
    """
    lines = read_lines(path, max_bytes=MAX_BYTES)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} of {path} cannot be read: {error}") from None
