"""Distances between features, optionally re-ranked, computed in blocks of queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings, gnn_reranked_blocks
from reid_gl.evaluation.reranking.rerank import RerankSettings, reranked_blocks
from reid_gl.similarity import METRICS, unit_rows

Floats = NDArray[np.floating]


def feature_distances(
    query: Floats,
    gallery: Floats | None,
    *,
    metric: str,
    rerank: RerankSettings | GnnRerankSettings | None,
    max_memory_gb: float | None,
) -> Iterator[Floats]:
    """Yield the distances of all queries, one block of query rows at a time.

    Args:
        query: (Q, D).
        gallery: (G, D); None if the queries search one another, so that G = Q.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking, which compares unit vectors if the metric is cosine; or
            settings of GNN re-ranking, which needs the cosine metric and a gallery; None for no re-ranking.
        max_memory_gb: memory limit of re-ranking, in addition to the features.

    Returns:
        Float32 blocks (B, G) that make up (Q, G) together. A later block may reuse the memory of an earlier
        one.

    Raises:
        ValueError: the metric is unknown; or see distance_blocks, reranked_blocks and gnn_reranked_blocks.
    """
    if rerank is None:
        return distance_blocks(query, query if gallery is None else gallery, metric=metric)
    if isinstance(rerank, GnnRerankSettings):
        if metric != "cosine" or gallery is None:
            raise ValueError("GNN re-ranking compares queries with a gallery by cosine, and nothing else")
        return gnn_reranked_blocks(query, gallery, rerank, max_memory_gb=max_memory_gb)
    queries = compared_rows(query, metric)
    searched = None if gallery is None else compared_rows(gallery, metric)
    return reranked_blocks(queries, searched, rerank, max_memory_gb=max_memory_gb)


def compared_rows(rows: Floats, metric: str) -> torch.Tensor:
    """Copy rows to float32 so that their Euclidean distances order images as the metric does.

    Rows are normalised for cosine and unchanged for euclidean.

    Raises:
        ValueError: the metric is unknown.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: expected one of {', '.join(METRICS)}")
    numbers = torch.from_numpy(np.array(rows, dtype=np.float32))
    return unit_rows(numbers) if metric == "cosine" else numbers
