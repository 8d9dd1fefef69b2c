"""Compiled kernels of CUHK03's single-gallery-shot protocol: random draws and their exact expectation.

An image of another identity ranks before a match if its distance is the same or smaller. Only two numbers per
identity matter: how many images it has, and how many of them rank before the match. Each draw is a hash of
the query's key, the repeat and the identity, so neither threads nor the order of the gallery change it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.evaluation.scores.matching import has_nan, in_other_camera

HAS_NAN, UNMATCHED, SCORED = -1, 0, 1
"""State of a query: its row contains NaN, it has no match, or it was scored."""

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
    """Score each query independently, in parallel.

    Args:
        distances: (Q, G) floating point, C-contiguous.
        people: (G,) index of each image's identity in pids; -2 for junk.
        pids: (P,) identities of the gallery.
        groups: (Q,) index of each query's identity in pids; -1 if the gallery does not contain it.
        query_camids: (Q,); -1 (unknown) differs from every camera.
        gallery_camids: (G,).
        keys: (Q,) random keys; a different key gives different draws.
        num_repeats: draws per query.
        expected: (Q, max_rank) zeros, output: probability that the match is among the first 1, 2, ...
        drawn: (Q, max_rank + 1) zeros, output: number of draws with the match at rank 1, 2, ...; the last
            column counts all later ranks.
        states: (Q,) output: HAS_NAN, UNMATCHED or SCORED. Rows of the other outputs stay zero unless SCORED.
    """
    sizes = np.zeros(len(pids), dtype=np.int64)
    for person in people:
        if person >= 0:
            sizes[person] += 1
    for i in prange(len(distances)):
        row = distances[i]
        matches = _matches(row, people, groups[i], query_camids[i], gallery_camids)
        states[i] = HAS_NAN if has_nan(row) else SCORED if len(matches) else UNMATCHED
        if states[i] != SCORED:
            continue
        for place in range(len(matches)):
            nearer = _count_nearer(row, people, groups[i], matches[place], len(pids))
            _add_chances(nearer, sizes, expected[i])
            _add_draws(nearer, sizes, pids, keys[i], groups[i], place, len(matches), num_repeats, drawn[i])
        for k in range(expected.shape[1]):
            expected[i, k] /= len(matches)


@compiled()
def _matches(
    row: NDArray[Any],
    people: NDArray[np.int64],
    own: int,
    camid: int,
    gallery_camids: NDArray[np.int64],
) -> NDArray[Any]:
    """Distances to images of the query's identity in other cameras, nearest first."""
    found = np.empty(len(row), dtype=row.dtype)
    count = 0
    for j in range(len(row)):
        if people[j] == own and in_other_camera(camid, gallery_camids[j]):
            found[count] = row[j]
            count += 1
    return np.sort(found[:count])


@compiled()
def _count_nearer(
    row: NDArray[Any], people: NDArray[np.int64], own: int, threshold: float, num_people: int
) -> NDArray[np.int64]:
    """Count each other identity's images at most as far as a match, (P,); 0 for the query's identity."""
    nearer = np.zeros(num_people, dtype=np.int64)
    for j in range(len(row)):
        if people[j] >= 0:
            nearer[people[j]] += row[j] <= threshold
    nearer[own] = 0
    return nearer


@compiled()
def _add_chances(nearer: NDArray[np.int64], sizes: NDArray[np.int64], expected: NDArray[np.float64]) -> None:
    """Add the probability that at most 0, 1, ... drawn images rank before the match, (max_rank,).

    One image per identity is drawn. It ranks before the match with probability nearer / sizes, independently
    of the other identities, so the number of such images is Poisson-binomial. The recursion over identities
    updates `exactly`, the probabilities of exactly 0, 1, ...; identities with probability 1 only shift it.
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
    """For each repeat that draws this match, count the other drawn images that rank before it."""
    for repeat in range(num_repeats):
        if int(_uniform(key, repeat, pids[own]) * num_matches) == place:
            before = 0
            for person in range(len(sizes)):
                before += _uniform(key, repeat, pids[person]) * sizes[person] < nearer[person]
            drawn[min(before, len(drawn) - 1)] += 1


@compiled()
def _uniform(key: np.uint64, repeat: int, pid: int) -> float:
    """Pseudorandom number in [0, 1), a hash of the arguments."""
    number = _mix(_mix(key ^ np.uint64(repeat)) ^ np.uint64(pid))
    return float(number >> np.uint64(11)) / 9007199254740992.0  # 2 ** 53


@compiled()
def _mix(number: np.uint64) -> np.uint64:
    """Hash a number: one step of SplitMix64."""
    number += STEP
    number = (number ^ (number >> np.uint64(30))) * FIRST
    number = (number ^ (number >> np.uint64(27))) * SECOND
    mixed: np.uint64 = number ^ (number >> np.uint64(31))
    return mixed
