"""The scores of features with what they are made of: ranked images and the precision-recall curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.scores.matching import fits_group
from reid_gl.evaluation.scores.ranking import Comparison, Floats, compare_features, score_comparison
from reid_gl.records import JUNK_PID, Features, RankingResult

Ints = NDArray[np.int64]
RIGHT, WRONG, IGNORED = 0, 1, 2
"""Kinds of ranked images: a match, an image of another identity, one that the protocol ignores."""
RECALLS = tuple(percent / 100 for percent in range(1, 101))
"""Recalls of the precision-recall curve."""
MAX_TIMES = 3
"""A list has at most this many times the number of counted images that was asked for."""
NOTHING = -1


@dataclass(frozen=True)
class RankLists:
    """The nearest gallery images of every query, and the mean precision at each recall.

    Attributes:
        queries: (Q,) place of each query among the features given.
        places: (Q, L) places of the nearest gallery images, nearest first, -1 after the end of a list. A list
            ends with the last of the counted images asked for, or at L.
        distances: (Q, L) float32; NaN after the end.
        kinds: (Q, L) RIGHT, WRONG or IGNORED; ignored images have no rank.
        precision: (100,) mean over the scored queries of the precision at the first rank that reaches each of
            RECALLS. The curve is not interpolated: the area under the steps of a query is its average
            precision (rectangle rule).
    """

    queries: Ints
    places: Ints
    distances: NDArray[np.float32]
    kinds: NDArray[np.uint8]
    precision: NDArray[np.float64]


def rank_with_lists(
    query: Features,
    gallery: Features | None,
    *,
    num_shown: int = 10,
    max_rank: int = 50,
    **comparison: Any,  # noqa: ANN401
) -> tuple[RankingResult, RankLists]:
    """Score features as evaluate_features does, and keep the nearest images of each query from the same pass.

    At equal distances wrong images come first, as in the scores, then images with the lower place.

    Args:
        query: as evaluate_features.
        gallery: as evaluate_features.
        num_shown: counted images in each list; ignored images in between come on top of them.
        max_rank: length of the CMC curve.
        **comparison: metric, rerank, max_memory_gb and use_cameras, as evaluate_features.

    Raises:
        ValueError: as evaluate_features.
    """
    if num_shown < 1:
        raise ValueError(f"num_shown must be at least 1, got {num_shown}")
    compared = compare_features(query, gallery, **comparison)
    collected = _Lists(compared, num_shown)
    result = score_comparison(replace(compared, blocks=collected.read()), max_rank=max_rank)
    return result, collected.finish()


class _Lists:
    """Reads lists from blocks of distances while somebody else scores them."""

    def __init__(self, compared: Comparison, num_shown: int) -> None:
        sides = compared.sides
        shape = (len(sides.query_pids), min(num_shown * MAX_TIMES, len(sides.gallery_pids)))
        self._blocks, self._sides, self._num_shown = compared.blocks, sides, num_shown
        self._places = np.full(shape, NOTHING, np.int64)
        self._distances = np.full(shape, np.nan, np.float32)
        self._kinds = np.full(shape, IGNORED, np.uint8)
        self._precision = np.zeros(len(RECALLS))
        self._num_scored = 0

    def read(self) -> Iterator[Floats]:
        done = 0
        for block in self._blocks:
            for row, distances in enumerate(block, start=done):
                self._read_row(row, distances)
            done += len(block)
            yield block

    def finish(self) -> RankLists:
        places = np.where(self._places == NOTHING, NOTHING, self._sides.rows[1][self._places])
        precision = self._precision / max(self._num_scored, 1)
        return RankLists(self._sides.rows[0], places, self._distances, self._kinds, precision)

    def _read_row(self, row: int, distances: Floats) -> None:
        kinds = self._kinds_of(row)
        matches = np.sort(distances[kinds == RIGHT])
        wrong = np.sort(distances[kinds == WRONG])
        if len(matches):
            ranks = np.searchsorted(wrong, matches, side="right") + np.arange(1, len(matches) + 1)
            # the match that first reaches each percentage of recall, in whole numbers
            reached = -(-np.arange(1, len(RECALLS) + 1) * len(matches) // len(RECALLS)) - 1
            self._precision += ((np.arange(len(matches)) + 1) / ranks)[reached]
            self._num_scored += 1
        order = self._nearest(distances, kinds)
        counted = np.cumsum(kinds[order] != IGNORED)
        end = min(int(np.searchsorted(counted, self._num_shown)) + 1, self._places.shape[1])
        order = order[:end]
        self._places[row, : len(order)] = order
        self._distances[row, : len(order)] = distances[order]
        self._kinds[row, : len(order)] = kinds[order]

    def _kinds_of(self, row: int) -> NDArray[np.uint8]:
        sides = self._sides
        is_same = sides.gallery_pids == sides.query_pids[row]
        is_match = is_same.copy()
        for rule in sides.rules:
            is_match &= fits_group(rule.query[row], rule.gallery, rule.wants_same)
        kinds = np.where(is_same, IGNORED, WRONG).astype(np.uint8)
        kinds[is_match] = RIGHT
        kinds[sides.gallery_pids == JUNK_PID] = IGNORED
        return kinds

    def _nearest(self, distances: Floats, kinds: NDArray[np.uint8]) -> Ints:
        """Return the places up to the last counted image to show, nearest first."""
        counted = distances[kinds != IGNORED]
        last = min(self._num_shown, len(counted)) - 1
        limit = np.partition(counted, last)[last] if len(counted) else np.inf
        some = np.flatnonzero(distances <= limit)
        return some[np.lexsort((some, kinds[some] == RIGHT, distances[some]))]
