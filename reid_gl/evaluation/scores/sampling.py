"""One query at a time of CUHK03's single-gallery-shot protocol, compiled: draws and their exact expectation.

A picture of somebody else comes before a match if it is as near or nearer. So of another person only two
numbers matter: how many pictures there are, and how many of them are as near as the match. A draw is a number
that depends on the query's key, repeat and identity alone: neither threads nor the gallery's order change it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled

HAS_NAN, UNMATCHED, SCORED = -1, 0, 1
"""What can become of a query."""

STEP = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
"""Constants of SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014)."""


@compiled(parallel=True)
def sample_rows(
    distances: NDArray[Any],
    people: NDArray[np.int64],
    pids: NDArray[np.int64],
    groups: NDArray[np.int64],
    query_camids: NDArray[np.int64],
    gallery_camids: NDArray[np.int64],
    keys: NDArray[np.uint64],
    num_repeats: int,
    expected: NDArray[np.float64],
    drawn: NDArray[np.int64],
    states: NDArray[np.int8],
) -> None:
    """Score every query by itself.

    Args:
        distances: (Q, G) floating point, C-contiguous.
        people: (G,) place of each picture's identity in pids; -2 for junk.
        pids: (P,) identities of the gallery.
        groups: (Q,) place of each query's identity in pids; -1 if the gallery does not have it.
        query_camids: (Q,); -1 matches no camera.
        gallery_camids: (G,).
        keys: (Q,) any numbers; another one gives other draws.
        num_repeats: draws for each query.
        expected: (Q, max_rank) zeros, filled in: chance that the match is among the first 1, 2, ...
        drawn: (Q, max_rank + 1) zeros, filled in: draws with the match at rank 1, 2, ...; the last, later.
        states: (Q,) filled in; rows without a match or with a NaN stay zero.
    """
    sizes = np.zeros(len(pids), dtype=np.int64)
    for person in people:
        if person >= 0:
            sizes[person] += 1
    for i in prange(len(distances)):
        row = distances[i]
        matches = _matches(row, people, groups[i], query_camids[i], gallery_camids)
        states[i] = HAS_NAN if _has_nan(row) else SCORED if len(matches) else UNMATCHED
        if states[i] != SCORED:
            continue
        for place in range(len(matches)):
            nearer = _count_nearer(row, people, groups[i], matches[place], len(pids))
            _add_chances(nearer, sizes, expected[i])
            _add_draws(nearer, sizes, pids, keys[i], groups[i], place, len(matches), num_repeats, drawn[i])
        for k in range(expected.shape[1]):
            expected[i, k] /= len(matches)


@compiled()
def _has_nan(row: NDArray[Any]) -> bool:
    count = 0
    for value in row:
        count += value != value  # true for NaN only, and vectorised
    return count > 0


@compiled()
def _matches(
    row: NDArray[Any],
    people: NDArray[np.int64],
    own: int,
    camid: int,
    gallery_camids: NDArray[np.int64],
) -> NDArray[Any]:
    """Distances of the query's own person in other cameras, nearest first."""
    found = np.empty(len(row), dtype=row.dtype)
    count = 0
    for j in range(len(row)):
        if people[j] == own and (camid < 0 or gallery_camids[j] != camid):
            found[count] = row[j]
            count += 1
    return np.sort(found[:count])


@compiled()
def _count_nearer(
    row: NDArray[Any], people: NDArray[np.int64], own: int, threshold: float, num_people: int
) -> NDArray[np.int64]:
    """How many pictures of everybody but the query's person are as near as a match, (P,)."""
    nearer = np.zeros(num_people, dtype=np.int64)
    for j in range(len(row)):
        if people[j] >= 0:
            nearer[people[j]] += row[j] <= threshold
    nearer[own] = 0
    return nearer


@compiled()
def _add_chances(nearer: NDArray[np.int64], sizes: NDArray[np.int64], expected: NDArray[np.float64]) -> None:
    """Add the chance that at most 0, 1, ... of the drawn pictures come before the match, (max_rank,).

    Each person by himself comes before it with the share of his pictures that are as near, so their number is
    Poisson-binomial: person after person it stays or grows by one.
    """
    max_rank = len(expected)
    exactly = np.zeros(max_rank)
    exactly[0] = 1.0
    certain = uncertain = 0
    for person in range(len(sizes)):
        if nearer[person] == sizes[person]:
            certain += 1
        elif nearer[person] > 0:
            share = nearer[person] / sizes[person]
            uncertain += 1
            for k in range(min(uncertain, max_rank - 1), 0, -1):
                exactly[k] = exactly[k] * (1.0 - share) + exactly[k - 1] * share
            exactly[0] *= 1.0 - share
    at_most = 0.0
    for k in range(certain, max_rank):
        at_most += exactly[k - certain]
        expected[k] += 1.0 if k >= certain + uncertain else min(at_most, 1.0)


@compiled()
def _add_draws(
    nearer: NDArray[np.int64],
    sizes: NDArray[np.int64],
    pids: NDArray[np.int64],
    key: np.uint64,
    own: int,
    place: int,
    num_matches: int,
    num_repeats: int,
    drawn: NDArray[np.int64],
) -> None:
    """Make the draws that show this match and count how many others come before it in each."""
    for repeat in range(num_repeats):
        if int(_uniform(key, repeat, pids[own]) * num_matches) == place:
            before = 0
            for person in range(len(sizes)):
                before += _uniform(key, repeat, pids[person]) * sizes[person] < nearer[person]
            drawn[min(before, len(drawn) - 1)] += 1


@compiled()
def _uniform(key: np.uint64, repeat: int, pid: int) -> float:
    """A number in [0, 1) that looks random and depends on the arguments alone."""
    number = _mix(_mix(key ^ np.uint64(repeat)) ^ np.uint64(pid))
    return float(number >> np.uint64(11)) / 9007199254740992.0  # 2 ** 53


@compiled()
def _mix(number: np.uint64) -> np.uint64:
    number += STEP
    number = (number ^ (number >> np.uint64(30))) * FIRST
    number = (number ^ (number >> np.uint64(27))) * SECOND
    mixed: np.uint64 = number ^ (number >> np.uint64(31))
    return mixed
