"""Pairwise distances and similarities, shared by the whole package."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

METRICS = ("cosine", "euclidean")


def cosine_distance(first: Tensor, second: Tensor) -> Tensor:
    """One minus the cosine of every pair of rows; a zero row has distance 1 to every row.

    Args:
        first: (A, D) floating point.
        second: (B, D) of the same dtype.

    Returns:
        (A, B) distances in [0, 2].
    """
    return 1.0 - F.normalize(first, dim=1) @ F.normalize(second, dim=1).T


def cosine_similarity(embeddings: Tensor) -> Tensor:
    """Cosine of every pair of rows; a zero row has similarity 0 to every row, including itself.

    Args:
        embeddings: (N, D) floating point.

    Returns:
        (N, N) cosines in [-1, 1].
    """
    unit = unit_rows(embeddings)
    return unit @ unit.T


def euclidean_distance(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance (not squared) of every pair of rows.

    The expansion |a|^2 + |b|^2 - 2ab loses small distances between large vectors to rounding. Therefore the
    mean of `second` is first subtracted from both sides, and everything is computed in float64.

    Args:
        first: (A, D) floating point.
        second: (B, D) of the same dtype.

    Returns:
        (A, B) distances, at least 0.
    """
    wide_first, wide_second = first.double(), second.double()
    centre = wide_second.mean(dim=0, keepdim=True) if len(second) else 0.0
    return torch.cdist(wide_first - centre, wide_second - centre).to(first.dtype)


def pairwise_distance(first: Tensor, second: Tensor, *, metric: str) -> Tensor:
    """Distances (A, B) of every pair of rows (A, D) and (B, D), "cosine" or "euclidean".

    Raises:
        ValueError: the metric is unknown.
    """
    if metric == "cosine":
        return cosine_distance(first, second)
    if metric == "euclidean":
        return euclidean_distance(first, second)
    raise ValueError(f"unknown metric {metric!r}: expected one of {', '.join(METRICS)}")


def pearson_similarity(embeddings: Tensor) -> Tensor:
    """Pearson correlation of every pair of rows, each centred over its D numbers.

    A constant row (up to rounding) has similarity 0 to every row, and its gradient is 0.

    Args:
        embeddings: (N, D) floating point.

    Returns:
        (N, N) correlations in [-1, 1].
    """
    centred = embeddings - embeddings.mean(dim=1, keepdim=True)
    tiny = torch.finfo(embeddings.dtype).eps
    scale = embeddings.detach().abs().amax(dim=1, keepdim=True)
    spread = centred.detach().abs().amax(dim=1, keepdim=True)
    unit = unit_rows(torch.where(spread > tiny * scale, centred, 0.0))
    return unit @ unit.T


def unit_rows(rows: Tensor) -> Tensor:
    """Normalise rows to length one; a row of zeros stays zero and has gradient 0.

    Each row is first divided by its largest absolute value, so that the squares of very large or small rows
    neither overflow nor underflow.

    Args:
        rows: (N, D) floating point.
    """
    largest = rows.detach().abs().amax(dim=1, keepdim=True)
    kept = largest > 0
    return F.normalize(torch.where(kept, rows / torch.where(kept, largest, 1.0), 0.0), dim=1)
