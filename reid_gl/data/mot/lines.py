"""Read lines of numbers from MOT Challenge files, with errors that name the line."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_gl.untrusted.regular_file import quoted, read_lines, why_no_file


def read_numbers(path: Path, columns: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the numbers of a file, (M, columns), and the line number of each row."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} {why_no_file(path)}")
    values, numbers = array("d"), array("q")
    width = columns[0]
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        row = _parse_line(line, f"{path} line {number}", columns)
        if numbers and len(row) != width:
            raise ValueError(f"{path} line {number} has {len(row)} numbers, line {numbers[0]} has {width}")
        width = len(row)
        values.extend(row)
        numbers.append(number)
    return np.array(values, dtype=np.float64).reshape(-1, width), np.array(numbers, dtype=np.int64)


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
