"""GNN re-ranking as Zhang et al. write it: dense matrices, one image and one neighbour at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slow_gnn_rerank(
    pool: NDArray[np.floating], num_queries: int, *, k1: int, k2: int, alpha: float, num_layers: int
) -> NDArray[np.float64]:
    """Features (N, D) of queries and gallery pooled, queries first, to distances (Q, G)."""
    cosines = _unit(pool.astype(np.float64)) @ _unit(pool.astype(np.float64)).T
    ranking = np.argsort(-cosines, axis=1, kind="stable")  # at equal cosines the lower index first
    rows = np.zeros(cosines.shape)
    for i in range(len(rows)):
        for j in ranking[i, :k1]:
            rows[i, j] = 1.0
    for _ in range(num_layers if k2 > 1 else 0):
        both = rows + rows.T
        heard = np.zeros(rows.shape)
        for i in range(len(rows)):
            for j in ranking[i, :k2]:
                heard[i] += max(0.0, cosines[i, j]) ** alpha * both[j]
        rows = _unit(heard)
    rows = _unit(rows)
    result = np.ones((num_queries, len(pool) - num_queries))
    for q in range(num_queries):
        for g in range(len(pool) - num_queries):
            result[q, g] -= (rows[q] * rows[num_queries + g]).sum()
    return result


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0)
