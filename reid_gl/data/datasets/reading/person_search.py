"""What the sets of person search share: boxes in whole frames, and structures in MATLAB files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_gl.data.datasets.reading.image_lists import AGAIN

Corners = tuple[int, int, int, int]


def corners_of(box: Sequence[float]) -> Corners | None:
    """Round a box to whole pixels.

    Args:
        box: x, y, width and height in pixels.

    Returns:
        x1, y1, x2 and y2; None if no pixel is to the right of and below the frame's upper left corner.
    """
    x, y, width, height = box
    corners = (round(x), round(y), round(x + width), round(y + height))
    is_empty = corners[2] <= max(corners[0], 0) or corners[3] <= max(corners[1], 0)
    return None if is_empty else corners


def read_structures(value: Any, fields: Sequence[str], where: str) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """Return the values of some fields of each structure in a MATLAB array.

    Args:
        value: the array of structures, or a cell of it.
        fields: names of the fields.
        where: the file and variable, for the message.

    Raises:
        ValueError: it is no array of structures with these fields.
    """
    array = np.asarray(value)
    if array.dtype == object and array.size == 1:
        array = np.asarray(array.item())
    if not set(fields) <= set(array.dtype.names or ()):
        raise ValueError(f"{where} has no structures with the fields {', '.join(fields)}; {AGAIN}")
    return [tuple(row[field] for field in fields) for row in array.ravel()]


def read_text(value: Any) -> str:  # noqa: ANN401 - whatever a field of a MATLAB structure holds
    """Return the text in a field of a structure; "" for anything else."""
    array = np.asarray(value)
    return str(array.item()) if array.dtype.kind == "U" and array.size == 1 else ""


def read_box(value: Any, where: str | Path) -> list[float] | None:  # noqa: ANN401 - as read_text
    """Return the four numbers in a field of a structure; None if it is empty.

    Raises:
        ValueError: the field holds something else.
    """
    array = np.asarray(value)
    if not array.size:
        return None
    if array.size != 4 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"{where} has a box that is not x, y, width and height; {AGAIN}")
    return [float(number) for number in array.ravel()]
