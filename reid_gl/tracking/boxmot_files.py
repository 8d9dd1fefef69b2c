"""Writes detections and features in the cache format that BoxMOT versions 10 to 16 read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_gl.files import make_folder, whole_or_nothing
from reid_gl.tracking.rows import check_rows

NUM_COLUMNS = 7
"""Columns of a detection: frame, x1, y1, x2, y2, confidence, class."""


def write_boxmot_cache(
    folder: str | Path,
    sequence: str,
    detections: ArrayLike,
    features: ArrayLike,
    *,
    reid_name: str,
    source: str,
) -> None:
    """Write dets/<sequence>.txt and embs/<reid_name>/<sequence>.txt; their rows correspond.

    Each file appears under its final name only once it is complete. The detections are written last.

    Args:
        folder: parent of the folders dets and embs, which are created if needed.
        sequence: name of the sequence.
        detections: (N, 7) frame (from 1), x1, y1, x2, y2 in pixels, confidence, class.
        features: (N, D) in the order of the detections.
        reid_name: name of the weights that computed the features.
        source: folder or file of the tracked frames; stored in the first line of the detections.

    Raises:
        ValueError: a shape is wrong, or a feature is all zeros or not finite.
    """
    rows, values = check_rows(detections, features)
    if rows.shape[1] != NUM_COLUMNS:
        raise ValueError(
            f"detections must have {NUM_COLUMNS} columns (frame, x1, y1, x2, y2, confidence, class), "
            f"got {rows.shape[1]}"
        )
    if "\n" in source:
        raise ValueError(f"source must be one line, got {source!r}")
    _write(Path(folder) / "embs" / reid_name / f"{sequence}.txt", values, header="")
    _write(Path(folder) / "dets" / f"{sequence}.txt", rows, header=source)


def _write(path: Path, table: NDArray[np.floating], *, header: str) -> None:
    make_folder(path.parent)
    with whole_or_nothing(path) as partial:
        np.savetxt(partial, table, fmt="%f", header=header, encoding="utf-8")
