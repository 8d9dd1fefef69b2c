"""Query-to-gallery distances, computed in blocks of queries. All scores of features use them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_gl.evaluation.copies import find_copies
from reid_gl.evaluation.forked import check_not_forked
from reid_gl.similarity import METRICS, unit_rows

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
BLOCK_CELLS = 16_000_000
"""Maximum number of distances in memory at once: 64 MB of float32."""
LARGEST_BLOCK_BYTES = 2**30
"""Maximum size of a block in re-ranking, however much memory the limit allows."""
LARGEST = np.float64(1e17)
"""Largest allowed feature value; the squared distances of larger ones overflow float32."""
FEW_ROWS = 64
"""Minimum number of queries in a block; smaller blocks are bound by reading the gallery from memory."""


def distance_blocks(query: Floats, gallery: Floats, *, metric: str) -> Iterator[Floats]:
    """Yield the distances of all queries, one block of query rows at a time.

    Gallery rows that are exact copies get bit-identical distances to a query. A matrix product alone does not
    guarantee this, because its rounding depends on the position of a row.

    Args:
        query: (Q, D).
        gallery: (G, D).
        metric: "cosine" or "euclidean".

    Returns:
        Float32 blocks (B, G) that make up (Q, G) together. A later block may reuse the memory of an earlier
        one.

    Raises:
        ValueError: the metric is unknown, the dimensions differ, a side is empty, or features are not finite;
            the message names the rows.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: expected one of {', '.join(METRICS)}")
    check_features(query, gallery)
    sides = [torch.from_numpy(np.require(side, np.float32, ("C", "W"))) for side in (query, gallery)]
    blocks = _cosine_blocks(*sides) if metric == "cosine" else _euclidean_blocks(*sides)
    return _with_ties(blocks, *find_copies(sides[1].numpy()))


def _with_ties(blocks: Iterator[Floats], copies: Ints, originals: Ints) -> Iterator[Floats]:
    """Yield the blocks after giving each copied gallery row the distances of its original."""
    for block in blocks:
        if len(copies):
            block[:, copies] = block[:, originals]
        yield block


def check_features(query: Floats, gallery: Floats) -> None:
    """Raise unless both sides are non-empty arrays (any, D) of finite numbers with the same D.

    All code that compares features calls this first, so it also rejects forked processes that cannot compute.
    """
    check_not_forked()
    check_rows("query features", query)
    check_rows("gallery features", gallery)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"query features have shape {query.shape}, gallery features {gallery.shape}: expected the same "
            "number of columns"
        )


def check_rows(name: str, rows: Floats) -> None:
    """Raise an error that starts with the name unless rows is a non-empty array (M, D) of finite numbers."""
    if not isinstance(rows, np.ndarray):
        advice = ": hand over tensor.detach().cpu().float().numpy()" if isinstance(rows, Tensor) else ""
        raise TypeError(f"{name} must be a numpy array, got {type(rows).__name__}{advice}")
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.size:
        raise ValueError(
            f"{name} must be numbers (M, D) with at least one row, got {rows.dtype} {rows.shape}"
        )
    finite = (rows.max(axis=1) <= LARGEST) & (rows.min(axis=1) >= -LARGEST)  # False for NaN, too
    if not finite.all():
        broken = np.flatnonzero(~finite)
        raise ValueError(
            f"{name} are NaN, infinite or beyond {LARGEST:g} in {len(broken)} of {len(rows)} rows: "
            f"{', '.join(map(str, broken[:5]))}{', ...' if len(broken) > 5 else ''}"
        )


def _block_rows(num_gallery: int) -> int:
    return max(FEW_ROWS, BLOCK_CELLS // num_gallery)


def _cosine_blocks(query: Tensor, gallery: Tensor) -> Iterator[Floats]:
    unit = unit_rows(gallery)
    for block in query.split(_block_rows(len(gallery))):
        distances = unit_rows(block) @ unit.T
        yield distances.neg_().add_(1.0).numpy()


def _euclidean_blocks(query: Tensor, gallery: Tensor) -> Iterator[Floats]:
    """Yield what euclidean_distance returns, but compute the gallery's centre and norms only once."""
    centre = gallery.double().mean(dim=0)
    wide = gallery.double().sub_(centre)
    squares = wide.square().sum(dim=1)
    for block in query.split(_block_rows(len(gallery))):
        rows = block.double() - centre
        distances = torch.addmm(squares, rows, wide.T, alpha=-2.0)
        distances += rows.square().sum(dim=1, keepdim=True)
        yield distances.clamp_min_(0.0).sqrt_().float().numpy()
