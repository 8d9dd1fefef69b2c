"""k-means for many clusters; scikit-learn's takes half an hour just to seed 11,000 centres."""

from __future__ import annotations

import logging
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

logger = logging.getLogger(__name__)

Ints = NDArray[np.int64]
MAX_ITERATIONS = 50
NUM_DRAWN = 256
BLOCK_CELLS = 16_000_000
"""Maximum number of distances in memory at once: 64 MB of float32."""


def k_means(rows: Tensor, num_clusters: int, *, seed: int) -> Ints:
    """Cluster rows by Euclidean distance, from one seeding.

    Iterates until no row changes its cluster, at most MAX_ITERATIONS times. A cluster that loses all its rows
    takes over the row that is farthest from its current centre. If there are fewer distinct rows than
    clusters, some clusters stay empty.

    Args:
        rows: (M, D) float32.
        num_clusters: at least 1 and at most M.
        seed: seed of the initial centres.

    Returns:
        (M,) cluster of each row, in [0, num_clusters).

    Source:
        Lloyd, "Least Squares Quantization in PCM", IEEE Transactions on Information Theory 1982; seeding as
        in Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007, section 6.
    """
    rows = _scaled(rows)
    centres = _seed_centres(rows, num_clusters, np.random.default_rng(seed))
    clusters = np.full(len(rows), -1)
    for iteration in range(MAX_ITERATIONS):
        found, squared = _nearest_centres(rows, centres)
        num_moved = int((found != clusters).sum())
        logger.debug("k-means, iteration %d: %d rows moved", iteration + 1, num_moved)
        if not num_moved:
            break
        clusters = _fill_empty(found, squared, num_clusters)
        centres = _means(rows, clusters, centres)
    return clusters


def _scaled(rows: Tensor) -> Tensor:
    """Centre the rows and scale them to at most 1 in absolute value.

    This does not change the clusters, but prevents squares from overflowing or losing precision.
    """
    centred = rows - rows.double().mean(dim=0)
    largest = centred.abs().max()
    return (centred / largest if largest > 0 else centred).float()


def _seed_centres(rows: Tensor, num: int, rng: np.random.Generator) -> Tensor:
    """Choose initial centres (num, D) with greedy k-means++.

    Each centre is the best of several candidate rows, drawn with probability proportional to their squared
    distance to the nearest centre; the best leaves the smallest sum of squared distances.

    Candidates are drawn in batches of NUM_DRAWN, so that their distances are one large matrix product. If
    centres were added after a candidate was drawn, it is accepted with probability (squared distance now) /
    (squared distance when drawn). This rejection sampling gives the same distribution as drawing it now.
    """
    num_compared = 2 + int(math.log(num))
    chosen = [int(rng.integers(len(rows)))]
    nearest = _squared_distances(rows[chosen], rows)[0].numpy()  # (M,), to the closest centre so far
    while len(chosen) < num:
        reached = np.cumsum(nearest, dtype=np.float64)
        drawn = np.searchsorted(reached, rng.random(NUM_DRAWN) * reached[-1], side="right")
        drawn = np.minimum(drawn, len(rows) - 1)
        squared = _squared_distances(rows[drawn], rows).numpy()  # (NUM_DRAWN, M)
        allowed = rng.random(NUM_DRAWN) * nearest[drawn]
        compared: list[int] = []
        for place, row in enumerate(drawn):
            if allowed[place] <= nearest[row]:
                compared.append(place)
            if len(compared) == num_compared and len(chosen) < num:
                nearer = np.minimum(squared[compared], nearest)
                best = int(nearer.sum(axis=1).argmin())
                nearest = nearer[best]
                chosen.append(int(drawn[compared[best]]))
                compared = []
    return rows[chosen]


def _squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Squared Euclidean distances (A, B) between rows (A, D) and (B, D)."""
    products = torch.addmm(second.square().sum(dim=1), first, second.T, alpha=-2.0)
    return products.add_(first.square().sum(dim=1, keepdim=True)).clamp_(min=0.0)


def _nearest_centres(rows: Tensor, centres: Tensor) -> tuple[Ints, NDArray[np.float32]]:
    """Index (M,) of each row's nearest centre, and the squared distance (M,) to it."""
    clusters, squared = [], []
    for block in rows.split(max(1, BLOCK_CELLS // len(centres))):
        distances = _squared_distances(block, centres)
        values, numbers = distances.min(dim=1)
        clusters.append(numbers.numpy())
        squared.append(values.numpy())
    return np.concatenate(clusters), np.concatenate(squared)


def _fill_empty(clusters: Ints, squared: NDArray[np.float32], num: int) -> Ints:
    """Assign one of the rows farthest from their centres to each empty cluster."""
    empty = np.flatnonzero(np.bincount(clusters, minlength=num) == 0)
    farthest = np.argsort(-squared, kind="stable")[: len(empty)]
    filled: Ints = clusters.copy()
    filled[farthest] = empty
    return filled


def _means(rows: Tensor, clusters: Ints, centres: Tensor) -> Tensor:
    """Mean row of each cluster; an empty cluster keeps its previous centre."""
    ones = np.ones(len(clusters), dtype=np.float32)
    shape = (len(centres), len(clusters))
    sums = csr_matrix((ones, (clusters, np.arange(len(clusters)))), shape=shape) @ rows.numpy()
    sizes = torch.from_numpy(np.bincount(clusters, minlength=len(centres)))[:, None]
    return torch.where(sizes > 0, torch.from_numpy(sums) / sizes.clamp(min=1), centres)
