"""Distances of features, re-ranked or not, some queries at a time."""

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
    """Distances of all queries, a block of rows after the other.

    Args:
        query: (Q, D).
        gallery: (G, D); None if the queries search one another, G = Q then.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking, on unit vectors where the metric is cosine; or of GNN
            re-ranking, under cosine and with a gallery only; None for none.
        max_memory_gb: what re-ranking may use beyond the features.

    Returns:
        Blocks (some, G) of float32, together (Q, G); one block's memory may serve the next.

    Raises:
        ValueError: unknown metric, or as distance_blocks, reranked_blocks and gnn_reranked_blocks.
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
    """A float32 copy of rows whose Euclidean distances order pictures as the metric does.

    Raises:
        ValueError: unknown metric.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: expected one of {', '.join(METRICS)}")
    numbers = torch.from_numpy(np.array(rows, dtype=np.float32))
    return unit_rows(numbers) if metric == "cosine" else numbers
