"""Detections with features in one file, as nwojke's deep_sort and StrongSORT read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from reid_gl.tracking.rows import check_rows

NUM_COLUMNS = 10
"""Columns of a MOT Challenge detection: frame, -1, left, top, width, height, confidence, -1, -1, -1."""

FEWEST_COLUMNS = 7
"""Columns up to the confidence."""


def write_deep_sort_file(path: str | Path, detections: ArrayLike, features: ArrayLike) -> None:
    """Write the detections of one sequence with their features.

    The file is a float64 array (N, 10 + D), rows ordered by frame: readers take columns 2 to 5 for the box,
    6 for the confidence and everything from 10 for the feature. It appears when it is complete.

    Args:
        path: <sequence>.npy; its folder is made.
        detections: (N, 7) to (N, 10), the rows of det.txt: frame (from 1), -1, left, top, width, height,
            confidence, and up to three numbers that nobody reads; missing ones become -1.
        features: (N, D) in the order of the detections.

    Raises:
        ValueError: other shapes, another file name, or a feature that is zero or not finite.
    """
    path = Path(path)
    if path.suffix != ".npy":
        raise ValueError(f"deep_sort reads <sequence>.npy, got {path.name}: change the name")
    rows, values = check_rows(detections, features)
    if not FEWEST_COLUMNS <= rows.shape[1] <= NUM_COLUMNS:
        raise ValueError(
            f"detections must have {FEWEST_COLUMNS} to {NUM_COLUMNS} columns, as det.txt, got {rows.shape[1]}"
        )
    table = np.full((len(rows), NUM_COLUMNS + values.shape[1]), -1.0)
    table[:, : rows.shape[1]] = rows
    table[:, NUM_COLUMNS:] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, table[np.argsort(rows[:, 0], kind="stable")], allow_pickle=False)
    partial.replace(path)
