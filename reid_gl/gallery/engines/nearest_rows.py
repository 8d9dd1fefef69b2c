"""The rows nearest to queries, by comparing every row: the truth for approximate searches."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reid_gl.gallery.interface.sightings import Floats, Ints


def nearest_rows(batches: Iterable[tuple[Ints, Floats]], own: list[int], queries: Floats, k: int) -> Ints:
    """Return the numbers (Q, K) of the rows nearest to each query, by comparing every row.

    Args:
        batches: numbers (M,) and features (M, D) of all rows, in parts.
        own: Q numbers of rows that are not counted among the neighbours of their own query.
        queries: (Q, D).
        k: number of neighbours; fewer if there are fewer rows.
    """
    ids, cosines = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
    for numbers, vectors in batches:
        products = queries @ vectors.T
        products[np.array(own)[:, None] == numbers] = -np.inf
        ids = np.concatenate([ids, np.broadcast_to(numbers, products.shape)], axis=1)
        cosines = np.concatenate([cosines, products], axis=1)
        kept = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        ids, cosines = np.take_along_axis(ids, kept, axis=1), np.take_along_axis(cosines, kept, axis=1)
    return ids[:, : min(k, np.isfinite(cosines).sum(axis=1).min())]
