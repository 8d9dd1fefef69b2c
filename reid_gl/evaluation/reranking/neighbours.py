"""Nearest pictures of every picture of a pool: the only step of re-ranking that sees all distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.reranking.nearest import nearest_of_columns, nearest_of_rows
from reid_gl.evaluation.reranking.pools import FeaturePool, MatrixPool

Floats = NDArray[np.float32]
FARTHEST = np.finfo(np.float32).max


@dataclass(frozen=True)
class Neighbours:
    """The nearest pictures of N pictures, themselves included.

    Attributes:
        nearest: (N, K) int32, nearest first, at equal distances the lower index first.
        near: (N, K) their squared distances.
        largest: (N,) largest squared distance of each picture to any.
    """

    nearest: NDArray[np.int32]
    near: Floats
    largest: Floats

    def doubled(self, num_kept: int) -> Neighbours:
        """The same of a pool that has every picture twice, N places apart; K at most doubles."""
        ids = np.concatenate([self.nearest, self.nearest + np.int32(len(self.nearest))], axis=1)
        near = np.concatenate([self.near, self.near], axis=1)
        order = np.argsort(ids, axis=1)
        ids, near = np.take_along_axis(ids, order, axis=1), np.take_along_axis(near, order, axis=1)
        order = np.argsort(near, axis=1, kind="stable")[:, :num_kept]
        ids, near = np.take_along_axis(ids, order, axis=1), np.take_along_axis(near, order, axis=1)
        return Neighbours(np.tile(ids, (2, 1)), np.tile(near, (2, 1)), np.tile(self.largest, 2))


def find_neighbours(
    pool: FeaturePool | MatrixPool, num_kept: int, *, num_rows: int, query_gallery: Floats | None = None
) -> Neighbours:
    """Walk over all pairs once, some pictures at a time.

    Args:
        pool: N pictures.
        num_kept: neighbours to keep, at most N.
        num_rows: pictures at a time.
        query_gallery: (Q, G), filled with squared distances; None if they are not wanted.
    """
    num = pool.num
    nearest, near = np.zeros((num, num_kept), np.int32), np.full((num, num_kept), FARTHEST)
    largest = np.zeros(num, np.float32)
    for start in range(0, num, num_rows):
        stop = min(start + num_rows, num)
        block = pool.rows(start, stop, start)  # earlier pictures have seen these already
        some, later = slice(start, stop), slice(stop, num)
        nearest_of_rows(block, start, nearest[some], near[some], largest[some])
        nearest_of_columns(block[:, stop - start :], start, nearest[later], near[later], largest[later])
        if query_gallery is not None and start < pool.num_queries:
            _keep(block, start, query_gallery, pool)
    return Neighbours(nearest, near, largest)


def _keep(block: Floats, start: int, query_gallery: Floats, pool: FeaturePool | MatrixPool) -> None:
    """Copy what pool.rows(start, ..., start) has of queries and gallery."""
    stop = min(start + len(block), pool.num_queries)
    rows = stop - start
    column = max(0, start - pool.first_gallery)
    query_gallery[start:stop, column:] = block[:rows, max(0, pool.first_gallery - start) :]
    if pool.first_gallery == 0:  # queries and gallery are the same pictures
        query_gallery[stop:, start:stop] = block[:, rows:].T
