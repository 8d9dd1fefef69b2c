"""Squared distances and the nearest pictures among them, compiled."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
CHUNK = 128
"""Distances looked at together: a processor compares many at once, and few of them are among the nearest."""


@compiled()
def _insert(ids: Ints, values: Floats, number: int, value: float) -> None:
    """Put a picture into a full list, nearest first, that it is nearer than the last of; ties go behind."""
    place = len(values) - 1
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        ids[place] = ids[place - 1]
        place -= 1
    values[place] = value
    ids[place] = number


@compiled(parallel=True, fastmath=True)
def nearest_of_rows(squared: Floats, first: int, nearest: Ints, near: Floats, largest: Floats) -> None:
    """Add the pictures of the columns to each row's list of nearest ones.

    At equal distances the lower index stays first if columns come in their order.

    Args:
        squared: (B, W) squared distances.
        first: picture of the first column.
        nearest: (B, K) indices so far, nearest first.
        near: (B, K) their squared distances, the largest float32 where there is none yet.
        largest: (B,) largest squared distance so far.
    """
    width = squared.shape[1]
    for i in prange(len(squared)):
        row, ids, values = squared[i], nearest[i], near[i]
        top = largest[i]
        for start in range(0, width, CHUNK):
            stop = min(start + CHUNK, width)
            low = np.float32(np.finfo(np.float32).max)
            for j in range(start, stop):
                low = min(low, row[j])
                top = max(top, row[j])
            if low >= values[-1]:
                continue
            for j in range(start, stop):
                if row[j] < values[-1]:
                    _insert(ids, values, first + j, row[j])
        largest[i] = top


@compiled(parallel=True, fastmath=True)
def nearest_of_columns(squared: Floats, first: int, nearest: Ints, near: Floats, largest: Floats) -> None:
    """The same for the pictures of the columns, read column by column: distances are symmetric.

    Args:
        squared: (B, W) squared distances.
        first: picture of the first row.
        nearest: (W, K), as in nearest_of_rows.
        near: (W, K).
        largest: (W,).
    """
    width = squared.shape[1]
    for chunk in prange((width + CHUNK - 1) // CHUNK):
        start = chunk * CHUNK
        stop = min(start + CHUNK, width)
        worst = near[start:stop, -1].copy()
        top = largest[start:stop].copy()
        for i in range(len(squared)):
            row = squared[i, start:stop]
            num_nearer = 0
            for j in range(len(row)):
                num_nearer += row[j] < worst[j]
                top[j] = max(top[j], row[j])
            if num_nearer == 0:
                continue
            for j in range(len(row)):
                if row[j] < worst[j]:
                    _insert(nearest[start + j], near[start + j], first + i, row[j])
                    worst[j] = near[start + j, -1]
        largest[start:stop] = top


@compiled(parallel=True)
def divide_products(products: Floats, lengths: Floats) -> None:
    """Dot products (B, W) of unit vectors with others become cosine distances, given the lengths (W,)."""
    for i in prange(len(products)):
        row = products[i]
        for j in range(len(row)):
            row[j] = np.float32(1.0) - row[j] / lengths[j]


@compiled(parallel=True, fastmath=True)
def square_products(products: Floats, row_norms: Floats, column_norms: Floats) -> None:
    """Dot products (B, W) become squared distances, given the squared norms (B,) and (W,)."""
    for i in prange(len(products)):
        row = products[i]
        for j in range(len(row)):
            row[j] = max(np.float32(0.0), row_norms[i] + column_norms[j] - np.float32(2.0) * row[j])


@compiled(parallel=True, fastmath=True)
def pair_distances(features: Floats, norms: Floats, first: Ints, second: Ints) -> Floats:
    """Squared Euclidean distances of pairs of rows of features (N, D) with squared norms (N,)."""
    squared = np.empty(len(first), np.float32)
    for p in prange(len(first)):
        one, other = features[first[p]], features[second[p]]
        product = np.float32(0.0)
        for d in range(len(one)):
            product += one[d] * other[d]
        squared[p] = max(np.float32(0.0), norms[first[p]] + norms[second[p]] - 2 * product)
    return squared
