"""Compiled kernels: squared distances from dot products, and running lists of nearest images."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
CHUNK = 128
"""Distances compared at a time. The comparison is vectorised; most chunks hold no new nearest image."""


@compiled()
def _insert(ids: Ints, values: Floats, number: int, value: float) -> None:
    """Insert an image into a full list, sorted nearest first, dropping the last entry.

    The caller has checked that `value` is below the last value. On ties the new image goes behind.
    """
    place = len(values) - 1
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        ids[place] = ids[place - 1]
        place -= 1
    values[place] = value
    ids[place] = number


@compiled(parallel=True, fastmath=True)
def nearest_of_rows(squared: Floats, first: int, nearest: Ints, near: Floats, largest: Floats) -> None:
    """Update each row's list of nearest images with the images of the columns, in place.

    On equal distances the lower index stays first, provided that blocks arrive in the order of their columns.

    Args:
        squared: (B, W) squared distances.
        first: index of the image of the first column.
        nearest: (B, K) indices of the nearest images so far, nearest first.
        near: (B, K) their squared distances; the largest float32 marks an empty place.
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
    """Update each column's list with the images of the rows, in place: distances are symmetric.

    Each thread takes CHUNK columns and reads them row by row, which keeps memory access contiguous.

    Args:
        squared: (B, W) squared distances.
        first: index of the image of the first row.
        nearest: (W, K), as in nearest_of_rows.
        near: (W, K), as in nearest_of_rows.
        largest: (W,), as in nearest_of_rows.
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
    """Turn dot products (B, W) of unit rows with any columns into cosine distances, in place.

    Args:
        products: (B, W) float32, overwritten.
        lengths: (W,) Euclidean norms of the columns.
    """
    for i in prange(len(products)):
        row = products[i]
        for j in range(len(row)):
            row[j] = np.float32(1.0) - row[j] / lengths[j]


@compiled(parallel=True, fastmath=True)
def square_products(products: Floats, row_norms: Floats, column_norms: Floats) -> None:
    """Turn dot products (B, W) into squared distances, in place, given squared norms (B,) and (W,)."""
    for i in prange(len(products)):
        row = products[i]
        for j in range(len(row)):
            row[j] = max(np.float32(0.0), row_norms[i] + column_norms[j] - np.float32(2.0) * row[j])


@compiled(parallel=True, fastmath=True)
def pair_distances(features: Floats, norms: Floats, first: Ints, second: Ints) -> Floats:
    """Squared Euclidean distances (P,) of pairs of rows of features (N, D), given squared norms (N,)."""
    squared = np.empty(len(first), np.float32)
    for p in prange(len(first)):
        one, other = features[first[p]], features[second[p]]
        product = np.float32(0.0)
        for d in range(len(one)):
            product += one[d] * other[d]
        squared[p] = max(np.float32(0.0), norms[first[p]] + norms[second[p]] - 2 * product)
    return squared
