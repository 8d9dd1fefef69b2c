"""Ranks of matches by counting, compiled: what ranking and retrieval share.

A match's rank is the number of wrong images that are as near or nearer, plus its place among the matches.
Counting how many numbers of a row are at most a threshold is what a processor does fastest, so no row is
sorted; images of the query's own identity are then taken off again, as they are few.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled

RECTANGLE, TRAPEZOID, INVERSE_PENALTY, FIRST_MATCH, MAP_AT_R, R_PRECISION, NUM_SCORES = range(7)
"""Columns of what score_rows fills in, and their number."""

MAX_COUNTED = 64
"""Up to so many matches one pass over the row for each is faster than sorting the row into them."""


@compiled(parallel=True)
def score_rows(
    distances: NDArray[Any],
    kept: NDArray[np.uint8],
    starts: NDArray[np.int64],
    members: NDArray[np.int64],
    groups: NDArray[np.int64],
    query_camids: NDArray[np.int64],
    gallery_camids: NDArray[np.int64],
    query_images: NDArray[np.int64],
    gallery_images: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> None:
    """Score every row by itself.

    Args:
        distances: (Q, G) floating point, C-contiguous.
        kept: (G,) 1 for images that are no junk.
        starts: (number of identities + 1,) where each identity's images begin in members.
        members: kept gallery images, identity by identity.
        groups: (Q,) number of the query's identity; -1 if the gallery does not have it.
        query_camids: (Q,); -1 matches no camera.
        gallery_camids: (G,).
        query_images: (Q,); -1 is like no other.
        gallery_images: (G,) numbers; one that is the query's own image does not count.
        scores: (Q, NUM_SCORES) filled in; rows without a match stay as they are. A row with a distance that
            is not a number gets FIRST_MATCH -1.
    """
    for i in prange(len(distances)):
        row = distances[i]
        if _has_nan(row):
            scores[i, FIRST_MATCH] = -1
            continue
        if groups[i] < 0:
            continue
        images = members[starts[groups[i]] : starts[groups[i] + 1]]
        own = row[images]  # the identity's distances, those of the query's camera included
        is_match = (gallery_camids[images] != query_camids[i]) | (query_camids[i] < 0)
        if query_images[i] >= 0:
            is_match &= gallery_images[images] != query_images[i]
        matches = np.sort(own[is_match])
        if len(matches) == 0:
            continue
        if len(matches) <= MAX_COUNTED:
            ranks = _count_each(row, kept, own, matches)
        else:
            ranks = _count_sorted(row, kept, own, matches)
        _score(ranks, scores[i])


@compiled()
def _has_nan(row: NDArray[Any]) -> bool:
    count = 0
    for value in row:
        count += value != value  # true for NaN only, and vectorised
    return count > 0


@compiled()
def _count_each(
    row: NDArray[Any], kept: NDArray[np.uint8], own: NDArray[Any], matches: NDArray[Any]
) -> NDArray[np.int64]:
    """Rank of each match, from 1: a pass over the row for each."""
    ranks = np.empty(len(matches), dtype=np.int64)
    for place in range(len(matches)):
        threshold = matches[place]
        count = np.int32(0)
        for j in range(len(row)):
            count += np.int32(row[j] <= threshold) & np.int32(kept[j])
        for value in own:
            count -= np.int32(value <= threshold)
        ranks[place] = count + place + 1
    return ranks


@compiled()
def _count_sorted(
    row: NDArray[Any], kept: NDArray[np.uint8], own: NDArray[Any], matches: NDArray[Any]
) -> NDArray[np.int64]:
    """The same by one pass that sorts every image in between the matches."""
    nearer = np.zeros(len(matches) + 1, dtype=np.int64)  # images not nearer than so many matches
    for j in range(len(row)):
        if kept[j]:
            nearer[np.searchsorted(matches, row[j])] += 1
    for value in own:
        nearer[np.searchsorted(matches, value)] -= 1
    return np.cumsum(nearer[:-1]) + np.arange(1, len(matches) + 1)


@compiled()
def _score(ranks: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
    rectangle = trapezoid = at_r = 0.0
    num_within = 0  # matches that the first len(ranks) images hold
    for place in range(len(ranks)):
        precision = (place + 1) / ranks[place]
        if ranks[place] <= len(ranks):
            num_within += 1
            at_r += precision
        before = place / (ranks[place] - 1) if ranks[place] > 1 else 1.0
        rectangle += precision
        trapezoid += (before + precision) / 2
    scores[RECTANGLE] = rectangle / len(ranks)
    scores[TRAPEZOID] = trapezoid / len(ranks)
    scores[INVERSE_PENALTY] = len(ranks) / ranks[-1]
    scores[FIRST_MATCH] = ranks[0]
    scores[MAP_AT_R] = at_r / len(ranks)
    scores[R_PRECISION] = num_within / len(ranks)
