"""k-reciprocal re-ranking: exact, and without an N x N matrix of all images."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reid_gl.evaluation.blocks import LARGEST_BLOCK_BYTES
from reid_gl.evaluation.reranking.neighbours import find_neighbours
from reid_gl.evaluation.reranking.pools import FeaturePool, MatrixPool
from reid_gl.evaluation.reranking.reciprocal import (
    average_sets,
    blend_overlap,
    reciprocal_sets,
    set_distances,
    weigh_sets,
)

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
DEFAULT_BLOCK_BYTES = 64 * 2**20
BYTES_PER_NEIGHBOUR = 200  # per image and neighbour: lists and sets, before and after averaging, by column


@dataclass(frozen=True)
class RerankSettings:
    """Settings of k-reciprocal re-ranking; the defaults are the authors' for people.

    Attributes:
        k1: number of neighbours, at least 1; capped at the pool size.
        k2: number of neighbours to average sets over, at least 1.
        lambda_value: weight of the original distance, in [0, 1].
        doubled_pool: put every image into the pool twice when a set searches itself, as the authors of the
            Group Loss++ do; k1 neighbours are then about k1 / 2 distinct images.
    """

    k1: int = 20
    k2: int = 6
    lambda_value: float = 0.3
    doubled_pool: bool = False

    def __post_init__(self) -> None:
        for name, value in (("k1", self.k1), ("k2", self.k2)):
            if value < 1 or value != int(value):
                raise ValueError(f"re-ranking needs a whole {name} of at least 1, got {value}")
        if not 0 <= self.lambda_value <= 1:
            raise ValueError(f"lambda must lie in [0, 1], got {self.lambda_value}")


def k_reciprocal_rerank(
    query: Floats | torch.Tensor,
    gallery: Floats | torch.Tensor | None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    doubled_pool: bool = False,
    max_memory_gb: float | None = None,
) -> Floats:
    """Re-ranked distances: images that share k-reciprocal neighbours move closer.

    Features are used as given: normalise them first to get cosine distances. Remove junk images first.
    Equal distances rank the lower index first, queries before the gallery. An image with squared distance 0
    to every image has re-ranked distance 0 to everything. If an image has so many duplicates before it that
    it is not among its own neighbours, its reciprocal set is empty and its Jaccard distance to everything
    is 1.

    Args:
        query: (Q, D) features; for a tensor, dot products are computed on its device.
        gallery: (G, D) features; None if the queries search each other, and then G = Q.
        k1: see RerankSettings.
        k2: see RerankSettings.
        lambda_value: see RerankSettings.
        doubled_pool: see RerankSettings.
        max_memory_gb: limit on the memory beyond the inputs and the result; None works in blocks of 64 MiB.

    Returns:
        (Q, G) float32: (1 - lambda) * Jaccard distance + lambda * squared Euclidean distance, the latter
        divided by the largest squared distance from that query to any image of the pool.

    Raises:
        ValueError: the shapes disagree, features are not finite, settings are out of range, or the memory
            limit is too small; the message says how much is needed.

    Source:
        Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, section 3.
    """
    settings = RerankSettings(k1, k2, lambda_value, doubled_pool)
    return _rerank(FeaturePool(query, gallery), settings, max_memory_gb)


def k_reciprocal_rerank_distances(
    query_gallery: Floats,
    query_query: Floats,
    gallery_gallery: Floats,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    max_memory_gb: float | None = None,
) -> Floats:
    """k_reciprocal_rerank for precomputed Euclidean distances, not squared.

    torchreid's `re_ranking` takes the same three matrices and also squares them. But its own "euclidean"
    distances are squared already, so there they are squared twice.

    Args:
        query_gallery: (Q, G).
        query_query: (Q, Q), symmetric.
        gallery_gallery: (G, G), symmetric.
        k1: see RerankSettings.
        k2: see RerankSettings.
        lambda_value: see RerankSettings.
        max_memory_gb: see k_reciprocal_rerank.

    Returns:
        (Q, G) float32.

    Raises:
        ValueError: as k_reciprocal_rerank.
    """
    pool = MatrixPool(query_gallery, query_query, gallery_gallery)
    return _rerank(pool, RerankSettings(k1, k2, lambda_value), max_memory_gb)


def reranked_blocks(
    query: Floats | torch.Tensor,
    gallery: Floats | torch.Tensor | None,
    settings: RerankSettings,
    *,
    max_memory_gb: float | None = None,
) -> Iterator[Floats]:
    """Yield the rows of k_reciprocal_rerank in blocks of queries, for results too large for one array."""
    pool = FeaturePool(query, gallery)
    rows = _block_rows(pool, settings, max_memory_gb)
    sets = _encode(pool, settings, rows, None)
    for start in range(0, pool.num_queries, rows):
        stop = min(start + rows, pool.num_queries)
        block = pool.rows(start, stop, pool.first_gallery)
        sets.blend(block, start, settings.lambda_value)
        yield block


def _rerank(pool: FeaturePool | MatrixPool, settings: RerankSettings, max_memory_gb: float | None) -> Floats:
    result = np.empty((pool.num_queries, pool.num - pool.first_gallery), dtype=np.float32)
    sets = _encode(pool, settings, _block_rows(pool, settings, max_memory_gb), result)
    sets.blend(result, 0, settings.lambda_value)
    return result


@dataclass(frozen=True)
class _Sets:
    """Averaged reciprocal sets of the N images of a pool, in CSR form.

    Attributes:
        largest: (N,) largest squared distance from each image to any image.
        by_image: the set of each image: offsets (N + 1,), members, weights.
        by_member: for each image of the pool, the gallery images with that image in their set: offsets
            (N + 1,), indices of gallery images from 0, weights.
    """

    largest: Floats
    by_image: tuple[NDArray[np.int64], NDArray[np.int32], Floats]
    by_member: tuple[NDArray[np.int64], NDArray[np.int32], Floats]

    def blend(self, block: Floats, first: int, lambda_value: float) -> None:
        """Turn squared distances (B, G) of the queries from `first` on into re-ranked ones, in place."""
        largest = self.largest[first : first + len(block), None]
        block /= np.where(largest > 0, largest, np.float32(1.0))
        blend_overlap(block, first, self.by_image, self.by_member, lambda_value)


def _encode(
    pool: FeaturePool | MatrixPool, settings: RerankSettings, num_rows: int, query_gallery: Floats | None
) -> _Sets:
    """Compute the reciprocal sets of the pool; also fill query_gallery (Q, G) with squared distances."""
    if settings.doubled_pool and pool.first_gallery > 0:
        raise ValueError(
            "a doubled pool needs queries that are the gallery too: give no gallery, or do not double it"
        )
    half = round(settings.k1 / 2)  # rounds half to even, like the authors' np.around
    wanted = max(settings.k1 + 1, settings.k2)
    found = find_neighbours(pool, min(wanted, pool.num), num_rows=num_rows, query_gallery=query_gallery)
    first_gallery = pool.first_gallery
    if settings.doubled_pool:
        found, first_gallery = found.doubled(wanted), pool.num
    num = len(found.nearest)
    starts, members = reciprocal_sets(found.nearest, settings.k1, half)
    squared, missing = set_distances(starts, members, found.nearest, found.near)
    owners = np.repeat(np.arange(num, dtype=np.int32), np.diff(starts))
    squared[missing] = pool.pairs(owners[missing] % pool.num, members[missing] % pool.num)
    squared /= np.where(found.largest > 0, found.largest, np.float32(1.0))[owners]
    sets = (starts, members, weigh_sets(starts, squared))
    if settings.k2 > 1:
        sets = average_sets(found.nearest, settings.k2, *sets)
    columns = csr_matrix((sets[2], sets[1], sets[0]), shape=(num, num))[first_gallery:].tocsc()
    by_member = (columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data)
    return _Sets(found.largest, sets, by_member)


def _block_rows(pool: FeaturePool | MatrixPool, settings: RerankSettings, max_memory_gb: float | None) -> int:
    """Number of images per block within the memory limit; logs the memory needed."""
    num = pool.num * (2 if settings.doubled_pool else 1)
    fixed = pool.num_bytes + num * min(max(settings.k1 + 1, settings.k2), num) * BYTES_PER_NEIGHBOUR
    row = 2 * 4 * pool.num
    allowed = fixed + DEFAULT_BLOCK_BYTES if max_memory_gb is None else max_memory_gb * 2**30
    if not allowed >= fixed + row:  # written this way so that NaN is refused too
        raise ValueError(
            f"re-ranking {pool.num:,} images needs {(fixed + row) / 2**30:.2f} GB beyond its result, "
            f"max_memory_gb allows {max_memory_gb}"
        )
    most = fixed + min(pool.num * row, max(row, LARGEST_BLOCK_BYTES))
    num_rows = int((min(allowed, most) - fixed) // row)
    logger.info(
        "re-ranking %d images: about %.2f GB, %d at a time",
        pool.num,
        (fixed + num_rows * row) / 2**30,
        num_rows,
    )
    return num_rows
