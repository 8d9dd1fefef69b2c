"""Queries and gallery as one pool of images, with squared distances computed on demand."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.reranking.nearest import pair_distances, square_products

Floats = NDArray[np.float32]


class FeaturePool:
    """Images given by their features; queries come first.

    Args:
        query: (Q, D) features.
        gallery: (G, D) features; None if the queries are also the gallery, and enter the pool once.

    Attributes:
        num: N, number of images in the pool.
        num_queries: Q.
        first_gallery: index of the first gallery image.
        num_bytes: memory held, in bytes.
    """

    def __init__(self, query: Floats | torch.Tensor, gallery: Floats | torch.Tensor | None) -> None:
        sides = [_as_tensor(side) for side in (query, gallery) if side is not None]
        if any(side.ndim != 2 for side in sides) or sides[0].shape[1] != sides[-1].shape[1]:
            raise ValueError(
                f"expected query features (Q, D) and gallery features (G, D), got {tuple(sides[0].shape)} "
                f"and {tuple(sides[-1].shape)}"
            )
        self._features = _centred(torch.cat([side.detach().float() for side in sides]))
        self._norms = torch.einsum("ij,ij->i", self._features, self._features)
        norms = self._norms.split([len(side) for side in sides])
        for name, side, squares in zip(("query", "gallery"), sides, norms, strict=False):
            _check_rows(name, tuple(side.shape), squares)
        self.num_queries, self.num = len(sides[0]), len(self._features)
        self.first_gallery = 0 if gallery is None else self.num_queries
        self.num_bytes = 4 * self._features.numel()

    def rows(self, start: int, stop: int, first: int) -> Floats:
        """Squared Euclidean distances (stop - start, N - first) from images start..stop to all from first."""
        products = (self._features[start:stop] @ self._features[first:].T).cpu().numpy()
        norms = self._norms.cpu().numpy()
        square_products(products, norms[start:stop], norms[first:])
        return products

    def pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> Floats:
        """Squared distances (P,) of pairs of images, given by their indices (P,) in the pool."""
        return pair_distances(self._features.cpu().numpy(), self._norms.cpu().numpy(), first, second)


class MatrixPool:
    """Images given by their Euclidean distances, not squared.

    Args:
        query_gallery: (Q, G).
        query_query: (Q, Q).
        gallery_gallery: (G, G).

    Attributes:
        num: N, number of images in the pool.
        num_queries: Q.
        first_gallery: index of the first gallery image.
        num_bytes: memory held beyond the matrices, in bytes.
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
            with np.errstate(over="ignore"):  # a value that overflows becomes infinite and is refused below
                largest = np.maximum(matrix.max(axis=1, initial=0), -matrix.min(axis=1, initial=0))
                squares = np.square(largest.astype(np.float32))
            _check_rows(name, matrix.shape, torch.from_numpy(squares))
        self.num_queries, self.num = num_queries, num_queries + num_gallery
        self.first_gallery = num_queries
        self.num_bytes = 0

    def rows(self, start: int, stop: int, first: int) -> Floats:
        """Squared distances (stop - start, N - first) from images start..stop to all from first."""
        num = self.num_queries
        squared = np.empty((stop - start, self.num - first), np.float32)
        split, edge = min(max(num, start), stop) - start, max(num - first, 0)
        queries, others = slice(start, start + split), slice(start + split - num, stop - num)
        columns = slice(max(first - num, 0), None)
        squared[:split, :edge] = self._query_query[queries, first:]
        squared[:split, edge:] = self._query_gallery[queries, columns]
        if split < stop - start:
            squared[split:, :edge] = self._query_gallery[first:, others].T
            squared[split:, edge:] = self._gallery_gallery[others, columns]
        return np.square(squared, out=squared)

    def pairs(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> Floats:
        """Squared distances (P,) of pairs of images, given by their indices (P,) in the pool."""
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


def _as_tensor(side: Floats | torch.Tensor) -> torch.Tensor:
    """Features as a float32 tensor; copies an array only if its type or layout requires it."""
    if isinstance(side, torch.Tensor):
        return side
    if not isinstance(side, np.ndarray) or side.dtype.kind not in "fiu":
        kind = side.dtype if isinstance(side, np.ndarray) else type(side).__name__
        raise TypeError(f"features must be an array or a tensor of numbers, got {kind}")
    return torch.from_numpy(np.require(side, np.float32, ("C", "W")))


def _centred(rows: torch.Tensor) -> torch.Tensor:
    """Shift rows (N, D) near the origin, in place: |a|^2 + |b|^2 - 2ab loses precision far from it.

    The shift is a multiple of a power of two no larger than the spread of the rows, so integers stay
    integers.
    """
    if rows.numel() == 0:
        return rows
    mean = rows.mean(dim=0)
    spread = float(torch.maximum(rows.amax(dim=0) - mean, mean - rows.amin(dim=0)).amax())
    if 0 < spread < math.inf:
        step = 2.0 ** math.floor(math.log2(spread))
        rows.sub_((mean / step).round() * step)
    return rows


def _check_rows(name: str, shape: tuple[int, ...], sums: torch.Tensor) -> None:
    """Raise ValueError if there are no features, or if a row's sum is not finite."""
    if 0 in shape:
        raise ValueError(f"{name} is empty, {shape}: there is nothing to re-rank")
    finite = torch.isfinite(sums)
    if not bool(finite.all()):
        broken = (~finite).nonzero().flatten()[:5].tolist()
        raise ValueError(
            f"{name} is not finite, or too large, in {int((~finite).sum())} rows, first {broken}"
        )
