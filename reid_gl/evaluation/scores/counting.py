"""Compiled kernels that rank matches by counting; ranking and retrieval share them.

A match's rank is the number of wrong images at the same or a smaller distance, plus its position among the
matches. Counting the numbers of a row that are at most a threshold vectorises well, so no row is sorted. The
count includes images of the query's own identity; these are few and are subtracted afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.evaluation.scores.matching import fits_group, has_nan

RECTANGLE, TRAPEZOID, INVERSE_PENALTY, FIRST_MATCH, MAP_AT_R, R_PRECISION, NUM_SCORES = range(7)
"""Columns of the score array that score_rows fills, and their number."""

MAX_COUNTED = 64
"""Up to this many matches, one pass over the row per match is faster than a binary search per image."""


@compiled(parallel=True)
def score_rows(
    distances: NDArray[Any],
    kept: NDArray[np.uint8],
    starts: NDArray[np.int64],
    members: NDArray[np.int64],
    groups: NDArray[np.int64],
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    wants_same: NDArray[np.bool_],
    scores: NDArray[np.float64],
) -> None:
    """Score each row (query) independently, in parallel.

    Args:
        distances: (Q, G) floating point, C-contiguous.
        kept: (G,) 1 for images that are not junk, 0 for junk.
        starts: (number of identities + 1,) offset of each identity's images in members.
        members: indices of the kept gallery images, grouped by identity.
        groups: (Q,) index of the query's identity in starts; -1 if the gallery does not contain it.
        query_groups: (R, Q) groups of R rules, see GroupRule; R may be 0.
        gallery_groups: (R, G).
        wants_same: (R,).
        scores: (Q, NUM_SCORES) output; rows without a match are not changed. A row that contains NaN gets
            FIRST_MATCH -1.
    """
    for i in prange(len(distances)):
        row = distances[i]
        if has_nan(row):
            scores[i, FIRST_MATCH] = -1
            continue
        if groups[i] < 0:
            continue
        images = members[starts[groups[i]] : starts[groups[i] + 1]]
        own = row[images]  # distances to all images of the identity, including those that break a rule
        is_match = np.ones(len(images), dtype=np.bool_)
        for r in range(len(wants_same)):
            is_match &= fits_group(query_groups[r, i], gallery_groups[r][images], wants_same[r])
        matches = np.sort(own[is_match])
        if len(matches) == 0:
            continue
        if len(matches) <= MAX_COUNTED:
            ranks = _count_each(row, kept, own, matches)
        else:
            ranks = _count_sorted(row, kept, own, matches)
        score_ranks(ranks, scores[i])


@compiled()
def _count_each(
    row: NDArray[Any], kept: NDArray[np.uint8], own: NDArray[Any], matches: NDArray[Any]
) -> NDArray[np.int64]:
    """Rank of each match, starting at 1, with one pass over the row per match.

    Every image of the query's identity is subtracted from the count; `place + 1` adds the matches up to and
    including this one.
    """
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
    """Compute the same ranks as _count_each in one pass, with a binary search in the matches per image."""
    nearer = np.zeros(len(matches) + 1, dtype=np.int64)  # [m]: wrong images behind exactly m matches
    for j in range(len(row)):
        if kept[j]:
            nearer[np.searchsorted(matches, row[j])] += 1
    for value in own:
        nearer[np.searchsorted(matches, value)] -= 1
    return np.cumsum(nearer[:-1]) + np.arange(1, len(matches) + 1)


@compiled()
def score_ranks(ranks: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
    """Fill one row of scores, (NUM_SCORES,), from the ascending ranks of its matches, at least one."""
    rectangle = trapezoid = at_r = 0.0
    num_within = 0  # matches among the first len(ranks) images
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
