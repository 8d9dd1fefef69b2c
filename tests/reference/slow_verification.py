"""Verification of pairs from the definitions: list every pair, count at every distance that occurs."""

from __future__ import annotations

import math
from collections.abc import Sequence


def slow_pairs(
    distances: Sequence[Sequence[float]],
    query: tuple[Sequence[int], Sequence[int]],
    gallery: tuple[Sequence[int], Sequence[int]],
    *,
    use_cameras: bool,
) -> tuple[list[float], list[float]]:
    """Distances of the pairs of one identity and of two, without junk and the own camera."""
    same, different = [], []
    for q, row in enumerate(distances):
        for g, distance in enumerate(row):
            query_pid, query_camid = query[0][q], query[1][q]
            gallery_pid, gallery_camid = gallery[0][g], gallery[1][g]
            if query_pid == -1 or gallery_pid == -1:
                continue
            if query_pid != gallery_pid:
                different.append(distance)
            elif not (use_cameras and query_camid == gallery_camid and query_camid >= 0):
                same.append(distance)
    return same, different


def slow_rates(same: Sequence[float], different: Sequence[float], threshold: float) -> tuple[float, float]:
    """False and true positive rate if pairs at most so far apart are accepted."""
    false_positives = sum(distance <= threshold for distance in different)
    true_positives = sum(distance <= threshold for distance in same)
    return false_positives / len(different), true_positives / len(same)


def slow_operating_point(
    same: Sequence[float], different: Sequence[float], asked: float
) -> tuple[float, float, float]:
    """Threshold, false and true positive rate at the largest distance that keeps to the asked rate."""
    best = (-math.inf, 0.0, 0.0)
    for threshold in sorted({*same, *different}):
        rates = slow_rates(same, different, threshold)
        if rates[0] <= asked:
            best = (threshold, *rates)
    return best


def slow_equal_error_rate(same: Sequence[float], different: Sequence[float]) -> float:
    """Where misses are as frequent as false positives, on straight lines from threshold to threshold."""
    old_false, old_missed = 0.0, 1.0
    for threshold in sorted({*same, *different}):
        new_false, found = slow_rates(same, different, threshold)
        new_missed = 1.0 - found
        if new_false >= new_missed:
            old_gap, new_gap = old_missed - old_false, new_false - new_missed
            return old_false + (new_false - old_false) * old_gap / (old_gap + new_gap)
        old_false, old_missed = new_false, new_missed
    raise AssertionError("at the largest distance everything is accepted")
