"""Find rows of features that are exact copies, without comparing every pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
ODD = np.uint64(0x9E37_79B9_7F4A_7C15)
NUM_PROBES = 16
"""Number of columns hashed in every row; only rows with equal hashes are compared in full."""


def find_copies(rows: NDArray[np.float32]) -> tuple[Ints, Ints]:
    """Find rows that equal an earlier row in every number; -0 equals 0.

    Args:
        rows: (M, D), D at least 1.

    Returns:
        Indices of the copies, ascending, and for each copy the index of the first row that equals it.
    """
    columns = np.unique(np.linspace(0, rows.shape[1] - 1, NUM_PROBES).round().astype(np.int64))
    probes = (rows[:, columns] + np.float32(0)).view(np.uint32).astype(np.uint64)
    weights = np.full(len(columns), ODD).cumprod()
    keys = (probes * weights).sum(axis=1, dtype=np.uint64)  # hash modulo 2^64: equal probes have equal keys
    _, groups, counts = np.unique(keys, return_inverse=True, return_counts=True)
    first: dict[bytes, int] = {}
    copies, originals = [], []
    for place in np.flatnonzero(counts[groups.reshape(-1)] > 1).tolist():
        original = first.setdefault((rows[place] + np.float32(0)).tobytes(), place)
        if original != place:
            copies.append(place)
            originals.append(original)
    return np.array(copies, dtype=np.int64), np.array(originals, dtype=np.int64)
