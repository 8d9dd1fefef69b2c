"""A threshold measured on a video without labels: two people in one frame are not the same person."""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from reid_gl.tracking.linking import overlaps, rows_by_frame

FALSE_ACCEPT_RATE = 1e-2
MIN_PAIRS = 100
MAX_PAIRS = 200_000
"""Pairs that are compared; of a longer video, those of frames at equal intervals."""


def measure_threshold(
    frames: NDArray[np.int64], boxes: NDArray[np.float64], features: NDArray[np.floating]
) -> float:
    """Return the cosine distance that 1 % of the pairs of people in one frame do not exceed.

    Boxes that overlap are not compared, because detectors sometimes report one person twice.

    Args:
        frames: (M,) frame of each box, ascending.
        boxes: (M, 4) x1, y1, x2, y2.
        features: (M, D) of length one; rows of zeros are left out.

    Raises:
        ValueError: there are fewer than 100 such pairs.
    """
    rows = np.asarray(features, dtype=np.float64)
    usable: NDArray[np.bool_] = np.asarray(rows.any(axis=1))
    _, counts = np.unique(frames[usable], return_counts=True)
    stride = max(1, int((counts * (counts - 1) // 2).sum()) // MAX_PAIRS)
    distances: list[NDArray[np.float64]] = [np.zeros(0)]
    for _, here in islice(rows_by_frame(frames, usable), 0, None, stride):
        apart = np.triu(overlaps(boxes[here], boxes[here]) == 0, k=1)
        distances.append((1.0 - rows[here] @ rows[here].T)[apart])
    pairs = np.concatenate(distances)
    if len(pairs) < MIN_PAIRS:
        raise ValueError(
            "the weights have no threshold, and it cannot be measured on the video, where only "
            f"{len(pairs):,} pairs of people are apart in one frame (at least {MIN_PAIRS} are needed): give "
            "a cosine distance with --threshold, or run reid-gl calibrate on the weights"
        )
    return float(np.quantile(pairs, FALSE_ACCEPT_RATE, method="lower"))
