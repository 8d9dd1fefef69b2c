"""Calibration from the definitions: list every pair, and every pair again after people are drawn anew."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reid_gl.records import Features

Pair = tuple[float, int, int]


def slow_people(query: Features, gallery: Features) -> tuple[list[int], list[int], int]:
    """Number of each image's person: identities in ascending order, then each distractor; junk is -1."""
    pids = [*query.pids.tolist(), *gallery.pids.tolist()]
    numbers = {pid: number for number, pid in enumerate(sorted(set(pids) - {-1, 0}))}
    people, count = [], len(numbers)
    for pid in pids:
        if pid == 0:
            people.append(count)
            count += 1
        else:
            people.append(numbers.get(pid, -1))
    return people[: len(query.pids)], people[len(query.pids) :], count


def slow_labelled_pairs(
    distances: Sequence[Sequence[float]], query: Features, gallery: Features
) -> tuple[list[float], list[Pair]]:
    """Distances of the pairs of one person, and distance and people of those of two."""
    query_people, gallery_people, _ = slow_people(query, gallery)
    same, different = [], []
    for q, row in enumerate(distances):
        for g, distance in enumerate(row):
            pids, camids = (query.pids[q], gallery.pids[g]), (query.camids[q], gallery.camids[g])
            if -1 in pids:
                continue
            if pids[0] != pids[1]:
                different.append((distance, query_people[q], gallery_people[g]))
            elif camids[0] != camids[1] or camids[0] < 0:
                same.append(distance)
    return same, different


def slow_redrawn_threshold(
    same: Sequence[float], different: Sequence[Pair], drawn: Sequence[int], rate: float
) -> float:
    """The largest distance at which the rate is kept to, where person p was drawn drawn[p] times."""
    total = sum(drawn[first] * drawn[second] for _, first, second in different)
    best = -math.inf
    for threshold in sorted({*same, *(pair[0] for pair in different)}):
        accepted = sum(drawn[a] * drawn[b] for distance, a, b in different if distance <= threshold)
        if accepted / total > rate:
            break
        best = threshold
    return best


def slow_histogram(distances: Sequence[float], num_bins: int) -> list[int]:
    """Counts in bins of equal width from 0 to 2."""
    counts = [0] * num_bins
    for distance in distances:
        counts[min(max(math.floor(distance * num_bins / 2), 0), num_bins - 1)] += 1
    return counts
