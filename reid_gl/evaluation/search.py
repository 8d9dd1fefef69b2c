"""Exact nearest-neighbour search in a large gallery."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.reranking.nearest import divide_products, nearest_of_rows
from reid_gl.similarity import METRICS, euclidean_distance, unit_rows

Floats = NDArray[np.float32]
TILE_QUERIES, TILE_IMAGES = 1_024, 8_192
"""Rows and columns of a tile of distances: 32 MB of float32, small enough to be reused from CPU caches."""
SHORT = 1e-12
"""Lengths below it may have squares that underflow float32."""


def search_gallery(
    query: Floats, gallery: Floats, *, num_nearest: int = 100, metric: str = "cosine"
) -> tuple[Floats, NDArray[np.int64]]:
    """Find the nearest gallery images of each query, nearest first; ties go to the lower index.

    Args:
        query: (Q, D); Q may be 0.
        gallery: (G, D); may be a memory-mapped file, which is read a few thousand rows at a time.
        num_nearest: K, at least 1; all G images if the gallery has fewer.
        metric: "cosine" or "euclidean".

    Returns:
        Distances (Q, K) and gallery indices (Q, K).

    Raises:
        ValueError: shapes disagree, features are not finite, the metric is unknown or num_nearest < 1.
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
    for first in range(0, len(gallery), TILE_IMAGES):
        images = torch.tensor(gallery[first : first + TILE_IMAGES], dtype=torch.float32)
        for start in range(0, len(query), TILE_QUERIES):
            rows = slice(start, start + TILE_QUERIES)
            tile = _distances(queries[rows], images, metric)
            nearest_of_rows(tile, first, places[rows], distances[rows], largest[rows])
    return distances, places.astype(np.int64)


def _distances(query: torch.Tensor, gallery: torch.Tensor, metric: str) -> Floats:
    """Return distances (Q, G); for cosine, the queries must be unit vectors already."""
    if metric == "euclidean":
        distances: Floats = euclidean_distance(query, gallery).numpy()
        return distances
    lengths = torch.linalg.vector_norm(gallery, dim=1)
    if bool((lengths < SHORT).any()):
        gallery, lengths = unit_rows(gallery), torch.ones_like(lengths)
    products: Floats = (query @ gallery.T).numpy()
    divide_products(products, lengths.numpy())
    return products
