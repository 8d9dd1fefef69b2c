"""Reads matrices from untrusted MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.untrusted.matlab import read_matlab

LARGEST = 2**53
"""Above this, floating point cannot represent every whole number."""


def read_whole_numbers(path: Path, field: str, *, columns: int | None = None) -> NDArray[np.int64]:
    """Read a matrix of whole numbers from a MATLAB file of version 7 or before.

    Args:
        path: the file.
        field: name of the variable.
        columns: required number of columns; None for any number.

    Returns:
        (rows, columns) numbers, at least one of each.

    Raises:
        ValueError: the file cannot be read, or the variable is missing or of another kind.
    """
    content = read_matlab(path, [field])
    if field not in content:
        raise ValueError(
            f"{path} has no variable {field!r}, so it is broken or another file: take it from the data set "
            "again"
        )
    matrix = np.asarray(content[field])
    fits = matrix.ndim == 2 and matrix.size and columns in (None, matrix.shape[-1])
    if not fits or matrix.dtype.kind not in "iuf" or not _are_whole(matrix):
        raise ValueError(
            f"{field} in {path} is {matrix.dtype} {matrix.shape}: expected a matrix of whole numbers with "
            f"{columns or 'any number of'} columns; take the file from the data set again"
        )
    numbers: NDArray[np.int64] = matrix.astype(np.int64)
    return numbers


def _are_whole(matrix: NDArray[Any]) -> bool:
    """Return whether all numbers are whole, and small enough for floating point to be exact."""
    return bool((np.abs(matrix) <= LARGEST).all() and (matrix == np.round(matrix)).all())
