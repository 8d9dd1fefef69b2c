"""A gallery's features in memory, with exact search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.reranking.nearest import nearest_of_rows
from reid_gl.evaluation.search import TILE_IMAGES, TILE_QUERIES
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.sightings import Floats, Ints

COLUMNS: dict[str, type] = {
    "id": np.int64,
    "camera": np.int64,
    "tracklet": np.int64,
    "pid": np.int64,
    "time": np.float64,
    "moment": np.float64,
}
"""Columns for selecting rows; an unknown time is NaN; a moment is the time, or else that of the addition."""

MANY = 2_000
"""If more neighbours than this are requested, all distances are sorted."""


class Matrix:
    """Rows in ascending order of their numbers, with features in tiles: adding rows copies no existing ones.

    Args:
        dimension: D.

    Attributes:
        version: version of the file that these rows were copied from.
    """

    def __init__(self, dimension: int) -> None:
        self.version = 0
        self._dimension = dimension
        self._tiles: list[Floats] = []
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(0, kind) for name, kind in COLUMNS.items()}
        self._is_kept = np.zeros(0, np.bool_)
        self._num = 0

    def __len__(self) -> int:
        """Return the number of rows that were not removed."""
        return int(np.count_nonzero(self._is_kept[: self._num]))

    def put(self, columns: Mapping[str, NDArray[Any]], vectors: Floats) -> None:
        """Append new rows, in ascending order of their numbers, and update the columns of existing ones.

        Args:
            columns: (M,) each, named as COLUMNS.
            vectors: (M, D) of length one.
        """
        places = self._places(columns["id"])
        is_new = places < 0
        num = self._num + int(np.count_nonzero(is_new))
        self._grow(num)
        places[is_new] = np.arange(self._num, num)
        for name, values in columns.items():
            self._columns[name][places] = values
        self._is_kept[places] = True
        vectors = vectors if is_new.all() else vectors[is_new]
        while len(vectors):
            tile, place = divmod(self._num, TILE_IMAGES)
            fitting = vectors[: TILE_IMAGES - place]
            self._tiles[tile][place : place + len(fitting)] = fitting
            self._num += len(fitting)
            vectors = vectors[len(fitting) :]

    def remove(self, ids: Ints) -> None:
        """Remove rows; unknown numbers are ignored."""
        places = self._places(ids)
        self._is_kept[places[places >= 0]] = False
        if len(self) < self._num // 2:
            self._compact()

    def nearest(self, queries: Floats, num_nearest: int, condition: Condition) -> list[Ints]:
        """Return the numbers of the rows with the largest cosines to each query, largest first.

        Args:
            queries: (Q, D) of length one.
            num_nearest: K, at least 1.
            condition: condition that rows must satisfy.

        Returns:
            Q arrays of at most K numbers.
        """
        chosen = np.flatnonzero(self._fulfil(condition))
        shape = (len(queries), min(num_nearest, len(chosen)))
        if not shape[1]:
            return [np.zeros(0, np.int64) for _ in queries]
        if shape[1] > MANY:
            return [self._nearest_many(query, shape[1], chosen) for query in queries]
        distances, ranks = np.full(shape, np.finfo(np.float32).max), np.zeros(shape, np.int32)
        largest = np.zeros(len(queries), np.float32)
        sides = torch.from_numpy(queries)
        ends = np.searchsorted(chosen, np.arange(1, len(self._tiles) + 1) * TILE_IMAGES)
        first = 0
        for tile, (rows, end) in enumerate(zip(self._tiles, ends.tolist(), strict=True)):
            inside = chosen[first:end] - tile * TILE_IMAGES
            if len(inside):
                for start in range(0, len(queries), TILE_QUERIES):
                    block = slice(start, start + TILE_QUERIES)
                    opposites = _opposites(sides[block], rows, inside)
                    nearest_of_rows(opposites, first, ranks[block], distances[block], largest[block])
            first = end
        found: Ints = self._columns["id"][chosen[ranks]]
        return list(found)

    def _nearest_many(self, query: Floats, num_nearest: int, chosen: Ints) -> Ints:
        """Search for one query (D,) by sorting all distances: such a long running list would be slow."""
        side = torch.from_numpy(query[None])
        opposites = np.concatenate(
            [
                _opposites(side, tile, inside - number * TILE_IMAGES)[0]
                for number, tile in enumerate(self._tiles)
                if len(inside := chosen[chosen // TILE_IMAGES == number])
            ]
        )
        found: Ints = self._columns["id"][chosen[np.argsort(opposites, kind="stable")[:num_nearest]]]
        return found

    def _fulfil(self, condition: Condition) -> NDArray[np.bool_]:
        """Return which rows satisfy a condition, (rows,)."""
        columns = {name: column[: self._num] for name, column in self._columns.items()}
        kept: NDArray[np.bool_] = self._is_kept[: self._num].copy()
        for name, values in condition.only.items():
            kept &= _is_one_of(columns[name], values)
        for rule in condition.without:
            kept &= ~np.all([_is_one_of(columns[name], values) for name, values in rule.items()], axis=0)
        for limit, is_within in (
            (condition.first_time, columns["time"].__ge__),
            (condition.last_time, columns["time"].__le__),
            (condition.since, columns["moment"].__ge__),
            (condition.before, columns["moment"].__lt__),
        ):
            if limit is not None:
                kept &= is_within(
                    limit
                )  # comparisons with NaN are false, so rows of unknown time are left out
        return kept

    def _places(self, ids: Ints) -> Ints:
        """Return the positions of rows by their numbers, -1 for unknown numbers."""
        own = self._columns["id"][: self._num]
        places = np.searchsorted(own, ids)
        if not self._num:
            return np.full(len(ids), -1)
        is_here = own[np.minimum(places, self._num - 1)] == ids
        return np.where(is_here, places, -1)

    def _grow(self, num: int) -> None:
        while len(self._tiles) * TILE_IMAGES < num:
            self._tiles.append(np.empty((TILE_IMAGES, self._dimension), np.float32))
        if num > len(self._is_kept):
            added = max(num, 2 * self._num) - len(self._is_kept)
            self._is_kept = np.concatenate([self._is_kept, np.zeros(added, np.bool_)])
            for name, column in self._columns.items():
                self._columns[name] = np.concatenate([column, np.zeros(added, column.dtype)])

    def _compact(self) -> None:
        kept = np.flatnonzero(self._is_kept[: self._num])
        for start in range(0, len(kept), TILE_IMAGES):  # rows only move towards the front
            rows = kept[start : start + TILE_IMAGES]
            moved = np.stack([self._tiles[row // TILE_IMAGES][row % TILE_IMAGES] for row in rows])
            self._tiles[start // TILE_IMAGES][: len(rows)] = moved
        self._columns = {name: column[kept] for name, column in self._columns.items()}
        self._is_kept, self._num = np.ones(len(kept), np.bool_), len(kept)
        del self._tiles[-(-len(kept) // TILE_IMAGES) :]


def _opposites(queries: torch.Tensor, tile: Floats, rows: Ints) -> Floats:
    """Return negative cosines (Q, R) of unit queries and the selected rows of a tile; small means similar."""
    is_most = 2 * len(rows) > len(tile)
    compared = tile[: rows[-1] + 1] if is_most else tile[rows]
    products: Floats = (queries @ torch.from_numpy(compared).T).numpy()
    if is_most and len(rows) < len(compared):
        products = products[:, rows]
    return np.negative(products, out=products)


def _is_one_of(column: Ints, values: frozenset[int]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (
        column == next(iter(values)) if len(values) == 1 else np.isin(column, sorted(values))
    )
    return found
