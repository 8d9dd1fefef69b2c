"""GNN re-ranking: an approximation of k-reciprocal re-ranking, sparse and in blocks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import norm
from torch import Tensor

from reid_gl.evaluation.blocks import LARGEST_BLOCK_BYTES, check_features
from reid_gl.evaluation.compiled import compiled
from reid_gl.similarity import unit_rows

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
DEFAULT_BLOCK_BYTES = 64 * 2**20
UNIT_ROWS = 4096
BYTES_PER_CELL = 8  # of a block (B, N): float32 cosines, a bool mask of ties and a copy
BYTES_PER_LINK = 8  # of a sparse matrix: one int32 index and one float32 value


@dataclass(frozen=True)
class GnnRerankSettings:
    """Settings of GNN re-ranking; the defaults are the authors' for Market-1501.

    Attributes:
        k1: number of nearest images that describe an image, itself included; capped at the pool size.
        k2: number of nearest images that send a message in each layer, itself included, at most k1;
            with 1 there are no layers.
        alpha: the weight of a message is its cosine to the power alpha, and 0 if the cosine is negative.
        num_layers: number of message-passing layers.
    """

    k1: int = 26
    k2: int = 7
    alpha: float = 2.0
    num_layers: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.k2 <= self.k1:
            raise ValueError(
                f"GNN re-ranking needs k1 of at least 1 and k2 in [1, k1], got k1 {self.k1} and k2 {self.k2}"
            )
        if not 0 < self.alpha < np.inf:
            raise ValueError(f"GNN re-ranking needs a finite alpha above 0, got {self.alpha}")
        if self.num_layers < 1:
            raise ValueError(f"GNN re-ranking needs num_layers of at least 1, got {self.num_layers}")


def gnn_rerank(
    query: Floats,
    gallery: Floats,
    *,
    k1: int = 26,
    k2: int = 7,
    alpha: float = 2.0,
    num_layers: int = 2,
    max_memory_gb: float | None = None,
) -> Floats:
    """Distances from GNN re-ranking, an approximation of k-reciprocal re-ranking.

    Images with similar neighbourhoods move closer. Queries and gallery form one pool of N images. Each image
    starts as a row of N numbers, with a 1 for each of its k1 nearest images. Each layer does three things:
    it adds the matrix of rows to its transpose, replaces each row with the sum of the rows of its k2 nearest
    images, weighted by cosine to the power alpha, and scales the rows to unit length.

    Remove junk images first. Equal cosines rank the lower index first, queries before the gallery. A row
    that receives no message in a layer, such as the row of an image with all-zero features, becomes zero and
    has distance 1 to everything.

    Args:
        query: (Q, D) features, any scale; only directions count.
        gallery: (G, D) features.
        k1: see GnnRerankSettings.
        k2: see GnnRerankSettings.
        alpha: see GnnRerankSettings.
        num_layers: see GnnRerankSettings.
        max_memory_gb: limit on the memory beyond the inputs and the result; None works in blocks of 64 MiB,
            however large the graph is.

    Returns:
        (Q, G) float32: one minus the cosine of the final rows, in [0, 1].

    Raises:
        ValueError: the shapes disagree, features are not finite, settings are out of range, or the memory
            limit is too small; the message says how much is needed.

    Source:
        Zhang et al., "Understanding Image Retrieval Re-Ranking: A Graph Neural Network Perspective", arXiv
        2012.07620, and the authors' implementation. Theirs also squares negative cosines; here they get 0.
    """
    settings = GnnRerankSettings(k1, k2, alpha, num_layers)
    blocks = gnn_reranked_blocks(query, gallery, settings, max_memory_gb=max_memory_gb)
    result = np.empty((len(query), len(gallery)), dtype=np.float32)
    done = 0
    for block in blocks:
        result[done : done + len(block)] = block
        done += len(block)
    return result


def gnn_reranked_blocks(
    query: Floats,
    gallery: Floats,
    settings: GnnRerankSettings,
    *,
    max_memory_gb: float | None = None,
) -> Iterator[Floats]:
    """Yield the rows of gnn_rerank in blocks of queries, for results too large for one array."""
    sides = [np.asarray(side) for side in (query, gallery)]
    check_features(*sides)
    pool = torch.from_numpy(np.concatenate(sides, dtype=np.float32))
    for rows in pool.split(UNIT_ROWS):  # in place and in parts: all rows at once would triple the memory
        rows.copy_(unit_rows(rows))
    return _blocks(pool, len(query), settings, max_memory_gb)


def _blocks(
    pool: Tensor, num_queries: int, settings: GnnRerankSettings, max_memory_gb: float | None
) -> Iterator[Floats]:
    num = len(pool)
    lists = num * min(settings.k1, num) * 2 * BYTES_PER_LINK  # near and nearest, and the graph made of them
    size = _block_rows(num, 4 * pool.numel() + lists, max_memory_gb)
    near, nearest = _neighbours(pool, settings.k1, size)
    del pool
    graph = _pass_messages(near, nearest, settings, max_memory_gb)
    size = _block_rows(num, 3 * BYTES_PER_LINK * graph.nnz, max_memory_gb)  # graph, and its two parts
    links = BYTES_PER_LINK * graph.nnz / 2**30
    logger.info("GNN re-ranking %d images: graph of %.2f GB, %d queries at a time", num, links, size)
    queries, gallery = graph[:num_queries], graph[num_queries:].T.tocsr()
    gallery_columns = gallery.indptr, gallery.indices, gallery.data
    for start in range(0, num_queries, size):
        rows = queries[start : start + size]
        block = np.empty((rows.shape[0], gallery.shape[1]), dtype=np.float32)
        _fill_distances(block, rows.indptr, rows.indices, rows.data, *gallery_columns)
        yield block


@compiled(parallel=True)
def _fill_distances(
    block: Floats,
    starts: Ints,
    members: Ints,
    weights: Floats,
    column_starts: Ints,
    images: Ints,
    column_weights: Floats,
) -> None:
    """Fill block (B, G) with one minus the dot products of sparse query rows and sparse gallery rows.

    Args:
        block: (B, G) float32, overwritten.
        starts: (B + 1,) CSR offsets of the query rows.
        members: CSR column indices of the query rows: images of the pool.
        weights: CSR values of the query rows.
        column_starts: (N + 1,) CSR offsets of the transposed gallery rows: one entry per image of the pool.
        images: CSR column indices of the transposed rows: gallery images, from 0.
        column_weights: CSR values of the transposed rows.
    """
    for i in prange(len(block)):
        row = block[i]
        row[:] = 1.0
        for p in range(starts[i], starts[i + 1]):
            member, weight = members[p], weights[p]
            for c in range(column_starts[member], column_starts[member + 1]):
                row[images[c]] -= weight * column_weights[c]
        for j in range(len(row)):
            row[j] = max(np.float32(0.0), row[j])  # rounding may go below 0


def _neighbours(pool: Tensor, k1: int, size: int) -> tuple[Floats, Ints]:
    """Cosines and indices (N, k1) of each image's nearest images, nearest first."""
    count = min(k1, len(pool))
    near = np.empty((len(pool), count), np.float32)
    nearest = np.empty((len(pool), count), np.int32)
    for start in range(0, len(pool), size):
        cosines = pool[start : start + size] @ pool.T  # (B, N)
        values, places = cosines.topk(count, dim=1)
        by_place = places.argsort(dim=1)  # topk guarantees no order, and no choice, among equal values
        values, order = values.gather(1, by_place).sort(dim=1, descending=True, stable=True)
        places = places.gather(1, by_place).gather(1, order)
        tied = ((cosines >= values[:, -1:]).sum(dim=1) > count).nonzero().flatten()
        for row in tied.tolist():
            places[row] = cosines[row].argsort(descending=True, stable=True)[:count]
        near[start : start + size] = values.numpy()
        nearest[start : start + size] = places.numpy()
    return near, nearest


def _pass_messages(
    near: Floats, nearest: Ints, settings: GnnRerankSettings, max_memory_gb: float | None
) -> csr_matrix:
    """The graph (N, N) after all layers; its rows have length one or zero."""
    num, k2 = len(near), settings.k2
    messages = np.maximum(np.float32(0.0), near[:, :k2]) ** np.float32(settings.alpha)
    weights = _rows_of(messages, nearest[:, :k2])
    graph = _rows_of(np.ones_like(near), nearest)
    for _ in range(settings.num_layers if k2 > 1 else 0):
        graph = graph + graph.T
        most = int(np.diff(graph.indptr)[weights.indices].sum())  # upper bound: no two rows share a link
        _block_rows(num, BYTES_PER_LINK * (graph.nnz + most), max_memory_gb)
        graph = _unit(weights @ graph)
    return _unit(graph)


def _rows_of(values: Floats, columns: Ints) -> csr_matrix:
    """Sparse (N, N) matrix that holds values (N, K) at the given columns of each row."""
    num, width = values.shape
    starts = np.arange(0, num * width + 1, width)
    return csr_matrix((values.ravel(), columns.ravel(), starts), shape=(num, num))


def _unit(graph: csr_matrix) -> csr_matrix:
    lengths = norm(graph, axis=1)
    graph.data /= np.repeat(np.where(lengths > 0, lengths, 1.0), np.diff(graph.indptr))
    return graph


def _block_rows(num: int, fixed: int, max_memory_gb: float | None) -> int:
    """Number of rows of a block that fit beside the `fixed` bytes; raises ValueError if not even one fits."""
    row = BYTES_PER_CELL * num
    allowed = fixed + DEFAULT_BLOCK_BYTES if max_memory_gb is None else max_memory_gb * 2**30
    if not allowed >= fixed + row:
        raise ValueError(
            f"GNN re-ranking of {num:,} images needs up to {(fixed + row) / 2**30:.2f} GB beyond its "
            f"result, max_memory_gb allows {max_memory_gb}"
        )
    most = fixed + min(num * row, max(row, LARGEST_BLOCK_BYTES))
    return int((min(allowed, most) - fixed) // row)
