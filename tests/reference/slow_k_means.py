"""Spherical k-means, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def slow_k_means(sample: Floats, centres: Floats, iterations: int) -> Floats:
    """Return centres (L, D) after some iterations on rows (M, D), all of length one; each must keep a row."""
    for _ in range(iterations):
        lists = [int(np.argmax([row @ centre for centre in centres])) for row in sample]
        sums = [
            np.sum([row for row, number in zip(sample, lists, strict=True) if number == place], axis=0)
            for place in range(len(centres))
        ]
        centres = np.array([total / np.linalg.norm(total) for total in sums], np.float32)
    return centres
