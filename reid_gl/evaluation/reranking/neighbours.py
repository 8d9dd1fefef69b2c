"""Nearest images of every image of a pool: the only step of re-ranking that reads all distances."""

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
    """The K nearest images of each of N images; each image counts as its own neighbour.

    Attributes:
        nearest: (N, K) int32 indices, nearest first; equal distances rank the lower index first.
        near: (N, K) squared distances of these images.
        largest: (N,) largest squared distance from each image to any image of the pool.
    """

    nearest: NDArray[np.int32]
    near: Floats
    largest: Floats

    def doubled(self, num_kept: int) -> Neighbours:
        """Neighbours in a pool of 2N images, where image i appears again as i + N; at most 2K are kept."""
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
    """Find the nearest images of each image in one pass over all pairs, in blocks of rows.

    Args:
        pool: N images.
        num_kept: K, the number of neighbours to keep, at most N.
        num_rows: images per block.
        query_gallery: (Q, G) array to fill with squared distances; None if they are not needed.
    """
    num = pool.num
    nearest, near = np.zeros((num, num_kept), np.int32), np.full((num, num_kept), FARTHEST)
    largest = np.zeros(num, np.float32)
    for start in range(0, num, num_rows):
        stop = min(start + num_rows, num)
        block = pool.rows(start, stop, start)  # pairs with earlier images were handled in their blocks
        some, later = slice(start, stop), slice(stop, num)
        nearest_of_rows(block, start, nearest[some], near[some], largest[some])
        nearest_of_columns(block[:, stop - start :], start, nearest[later], near[later], largest[later])
        if query_gallery is not None and start < pool.num_queries:
            _keep(block, start, query_gallery, pool)
    return Neighbours(nearest, near, largest)


def _keep(block: Floats, start: int, query_gallery: Floats, pool: FeaturePool | MatrixPool) -> None:
    """Copy the query-gallery distances out of a block that pool.rows(start, ..., start) returned."""
    stop = min(start + len(block), pool.num_queries)
    rows = stop - start
    column = max(0, start - pool.first_gallery)
    query_gallery[start:stop, column:] = block[:rows, max(0, pool.first_gallery - start) :]
    if pool.first_gallery == 0:  # queries and gallery are the same images
        query_gallery[stop:, start:stop] = block[:, rows:].T
