"""Queries and gallery as one pool of pictures, and the squared distances between them as they are needed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.reciprocal import pair_distances

Floats = NDArray[np.float32]


class FeaturePool:
    """Pictures known by their features; queries come first.

    Args:
        query: (Q, D).
        gallery: (G, D).

    Attributes:
        num: pictures.
        num_queries: Q.
        num_bytes: memory held.
    """

    def __init__(self, query: Floats | torch.Tensor, gallery: Floats | torch.Tensor) -> None:
        sides = [torch.as_tensor(side) for side in (query, gallery)]
        if any(side.ndim != 2 for side in sides) or sides[0].shape[1] != sides[1].shape[1]:
            raise ValueError(
                f"expected query features (Q, D) and gallery features (G, D), got {tuple(sides[0].shape)} "
                f"and {tuple(sides[1].shape)}"
            )
        for name, side in zip(("query", "gallery"), sides, strict=True):
            _check_rows(name, side)
        self._features = torch.cat([side.detach().float() for side in sides])
        self._norms = self._features.square().sum(dim=1)
        self.num_queries, self.num = len(sides[0]), len(self._features)
        self.num_bytes = 4 * self._features.numel()

    def rows(self, start: int, stop: int) -> Floats:
        """(stop - start, N) squared Euclidean distances of some pictures to all."""
        some = self._features[start:stop]
        squared = torch.addmm(self._norms, some, self._features.T, alpha=-2.0)
        squared.add_(self._norms[start:stop, None]).clamp_(min=0.0)
        return squared.cpu().numpy()

    def pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> Floats:
        """Squared distances of pairs of pictures."""
        return pair_distances(self._features.cpu().numpy(), self._norms.cpu().numpy(), first, second)


class MatrixPool:
    """Pictures known by their Euclidean distances, not squared.

    Args:
        query_gallery: (Q, G).
        query_query: (Q, Q).
        gallery_gallery: (G, G).

    Attributes:
        num: pictures.
        num_queries: Q.
        num_bytes: memory held beyond the matrices.
    """

    def __init__(self, query_gallery: Floats, query_query: Floats, gallery_gallery: Floats) -> None:
        given = [np.asarray(matrix) for matrix in (query_gallery, query_query, gallery_gallery)]
        self._query_gallery, self._query_query, self._gallery_gallery = given
        num_queries, num_gallery = len(given[1]), len(given[2])
        expected = [(num_queries, num_gallery), (num_queries, num_queries), (num_gallery, num_gallery)]
        if [matrix.shape for matrix in given] != expected:
            raise ValueError(
                "expected distances (Q, G), (Q, Q) and (G, G), got "
                f"{', '.join(str(matrix.shape) for matrix in given)}"
            )
        names = ("query_gallery", "query_query", "gallery_gallery")
        for name, matrix in zip(names, given, strict=True):
            _check_rows(name, torch.as_tensor(matrix))
        self.num_queries, self.num = num_queries, num_queries + num_gallery
        self.num_bytes = 0

    def rows(self, start: int, stop: int) -> Floats:
        """(stop - start, N) squared distances of some pictures to all."""
        split = min(max(self.num_queries, start), stop)
        lower, upper = start - self.num_queries, stop - self.num_queries
        queries = [self._query_query[start:split], self._query_gallery[start:split]]
        pictures = slice(max(0, lower), max(0, upper))
        gallery = [self._query_gallery.T[pictures], self._gallery_gallery[pictures]]
        whole = np.concatenate([np.concatenate(part, axis=1) for part in (queries, gallery)])
        return np.square(whole.astype(np.float32))

    def pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> Floats:
        """Squared distances of pairs of pictures."""
        result = np.empty(len(first), np.float32)
        low, high = np.minimum(first, second), np.maximum(first, second)
        num = self.num_queries
        both = high < num
        mixed = (low < num) & ~both
        neither = low >= num
        result[both] = self._query_query[low[both], high[both]]
        result[mixed] = self._query_gallery[low[mixed], high[mixed] - num]
        result[neither] = self._gallery_gallery[low[neither] - num, high[neither] - num]
        return np.square(result)


def _check_rows(name: str, rows: torch.Tensor) -> None:
    if rows.numel() == 0:
        raise ValueError(f"{name} is empty, {tuple(rows.shape)}: there is nothing to re-rank")
    finite = torch.isfinite(rows).all(dim=1)
    if not bool(finite.all()):
        broken = (~finite).nonzero().flatten()[:5].tolist()
        raise ValueError(f"{name} is not finite in {int((~finite).sum())} rows, first {broken}")
