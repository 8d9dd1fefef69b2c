"""What the sets of person search share: boxes in whole frames, who searches which, and MATLAB structures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.datasets.reading.image_lists import AGAIN
from reid_gl.records import Sample, SceneSearch

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


def make_search(
    frames: Iterable[str],
    gallery: Sequence[Sample],
    searched: NDArray[np.bool_],
    targets: Sequence[Mapping[int, Corners]],
) -> SceneSearch:
    """Collect what person search needs to know beside the features.

    Args:
        frames: the S images that are searched.
        gallery: G boxes in these images.
        searched: (Q, S) bool, whether a query searches an image.
        targets: for each query, the box of its person by the number of the image.
    """
    numbers = {frame: number for number, frame in enumerate(frames)}
    found = [(query, *pair) for query, boxes in enumerate(targets) for pair in sorted(boxes.items())]
    return SceneSearch(
        scenes=np.array([numbers[sample.path] for sample in gallery], np.int64),
        boxes=np.array([sample.box for sample in gallery], np.int64).reshape(-1, 4),
        searched=searched,
        targets=np.array([target[:2] for target in found], np.int64).reshape(-1, 2),
        target_boxes=np.array([target[2] for target in found], np.int64).reshape(-1, 4),
    )


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
