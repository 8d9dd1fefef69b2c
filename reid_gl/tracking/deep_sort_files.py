"""Writes detections and features to one file in the format of nwojke's deep_sort and StrongSORT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from reid_gl.files import make_folder, whole_or_nothing
from reid_gl.tracking.rows import check_rows

NUM_COLUMNS = 10
"""Columns of a MOT Challenge detection: frame, -1, left, top, width, height, confidence, -1, -1, -1."""

FEWEST_COLUMNS = 7
"""The columns up to and including the confidence are required."""


def write_deep_sort_file(path: str | Path, detections: ArrayLike, features: ArrayLike) -> None:
    """Write the detections of one sequence with their features.

    The file holds a float64 array (N, 10 + D) with rows ordered by frame. Trackers read the box from columns
    2 to 5, the confidence from column 6 and the feature from column 10 on (columns count from 0). The file
    appears under its final name only once it is complete.

    Args:
        path: <sequence>.npy; its folder is created if needed.
        detections: (N, 7) to (N, 10), the rows of det.txt: frame (from 1), -1, left, top, width, height,
            confidence, and up to three numbers that no tracker reads; missing ones become -1.
        features: (N, D) in the order of the detections.

    Raises:
        ValueError: a shape or the file name is wrong, or a feature is all zeros or not finite.
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
    make_folder(path.parent)
    with whole_or_nothing(path) as partial, partial.open("wb") as file:
        np.save(file, table[np.argsort(rows[:, 0], kind="stable")], allow_pickle=False)
