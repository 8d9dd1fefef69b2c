"""k-reciprocal re-ranking as Zhong et al. write it: dense matrices, one image at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slow_rerank(
    squared: NDArray[np.floating],
    num_queries: int,
    *,
    k1: int,
    k2: int,
    lambda_value: float,
    is_own_gallery: bool = False,
) -> NDArray[np.float64]:
    """Squared distances (N, N) of queries and gallery pooled, queries first, to new distances (Q, G).

    If all images are queries and gallery at once, the result is (N, N).
    """
    num = len(squared)
    largest = squared.max(axis=1, keepdims=True)
    distances = np.divide(squared, largest, out=np.zeros(squared.shape), where=largest > 0)
    ranking = np.argsort(squared, axis=1, kind="stable")  # at equal distances the lower index first
    encoded = np.zeros((num, num))
    for i in range(num):
        original = _reciprocal(ranking, i, k1)
        expanded = list(original)
        for candidate in original:
            near = _reciprocal(ranking, candidate, round(k1 / 2))
            if len(set(near) & set(original)) > 2 / 3 * len(near):
                expanded += near
        members = sorted(set(expanded))
        weights = np.exp(-distances[i, members])
        encoded[i, members] = weights / weights.sum()
    if k2 > 1:
        encoded = np.stack([encoded[ranking[i, :k2]].mean(axis=0) for i in range(num)])
    gallery = range(num) if is_own_gallery else range(num_queries, num)
    result = np.zeros((num_queries, len(gallery)))
    for q in range(num_queries):
        for column, g in enumerate(gallery):
            shared = np.minimum(encoded[q], encoded[g]).sum()
            jaccard = 1 - shared / (2 - shared)
            result[q, column] = (1 - lambda_value) * jaccard + lambda_value * distances[q, g]
    return result


def _reciprocal(ranking: NDArray[np.integer], i: int, k: int) -> list[int]:
    """Among the k + 1 nearest of i, itself included, those that have i among theirs."""
    return [int(j) for j in ranking[i, : k + 1] if i in ranking[j, : k + 1]]
