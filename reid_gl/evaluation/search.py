"""The nearest pictures of a large gallery, exactly."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.reranking.nearest import divide_products, nearest_of_rows
from reid_gl.similarity import METRICS, euclidean_distance, unit_rows

Floats = NDArray[np.float32]
TILE_QUERIES, TILE_PICTURES = 1_024, 8_192
"""Distances held at once: 32 MB of float32, which the processor's caches see again while they are warm."""
SHORT = 1e-12
"""The square of a length below it may be too small for float32."""


def search_gallery(
    query: Floats, gallery: Floats, *, num_nearest: int = 100, metric: str = "cosine"
) -> tuple[Floats, NDArray[np.int64]]:
    """The nearest gallery pictures of each query, nearest first; at equal distances the lower index first.

    Args:
        query: (Q, D); of no query there are no results.
        gallery: (G, D); it may be a memory-mapped file, of which some thousand rows are read at a time.
        num_nearest: K, at least 1; all pictures, if there are fewer.
        metric: "cosine" or "euclidean".

    Returns:
        Distances (Q, K) and places in the gallery (Q, K).

    Raises:
        ValueError: shapes disagree, features that are not finite, unknown metric, or num_nearest below 1.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: expected one of {', '.join(METRICS)}")
    if num_nearest < 1:
        raise ValueError(f"num_nearest must be at least 1, got {num_nearest}")
    if isinstance(query, np.ndarray) and query.ndim == 2 and not len(query):
        check_features(np.zeros((1, query.shape[1]), np.float32), gallery)
    else:
        check_features(query, gallery)
    shape = (len(query), min(num_nearest, len(gallery)))
    distances, places = np.full(shape, np.finfo(np.float32).max), np.zeros(shape, np.int32)
    largest = np.zeros(len(query), np.float32)
    queries = torch.tensor(query, dtype=torch.float32)
    if metric == "cosine":
        queries = unit_rows(queries)
    for first in range(0, len(gallery), TILE_PICTURES):
        pictures = torch.tensor(gallery[first : first + TILE_PICTURES], dtype=torch.float32)
        for start in range(0, len(query), TILE_QUERIES):
            rows = slice(start, start + TILE_QUERIES)
            tile = _distances(queries[rows], pictures, metric)
            nearest_of_rows(tile, first, places[rows], distances[rows], largest[rows])
    return distances, places.astype(np.int64)


def _distances(query: torch.Tensor, gallery: torch.Tensor, metric: str) -> Floats:
    """Distances (Q, G); under cosine of queries that are unit vectors."""
    if metric == "euclidean":
        distances: Floats = euclidean_distance(query, gallery).numpy()
        return distances
    lengths = torch.linalg.vector_norm(gallery, dim=1)
    if bool((lengths < SHORT).any()):
        gallery, lengths = unit_rows(gallery), torch.ones_like(lengths)
    products: Floats = (query @ gallery.T).numpy()
    divide_products(products, lengths.numpy())
    return products
