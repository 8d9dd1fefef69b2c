"""Agglomerative average linkage with forbidden pairs, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def average_linkage(distances: Floats, threshold: float) -> Ints:
    """Join the two groups with the smallest mean distance until none is within the threshold.

    Of equal means the pair whose first group comes first is joined, then the one whose second group does; a
    group comes where its first member does.

    Args:
        distances: (T, T) symmetric, infinite where two cannot be in one group; the diagonal does not count.
        threshold: largest mean at which groups are joined.

    Returns:
        (T,) the first member of each one's group.
    """
    return _join(distances.astype(np.float64), threshold)  # a copy, in which sums are kept


@compiled()
def _join(sums: Floats, threshold: float) -> Ints:
    """Sums of distances between groups above the diagonal; a group is at its first member."""
    count = len(sums)
    heads, sizes = np.arange(count), np.ones(count)
    # of each group the nearest later one: only few of them change with a join
    nearest, means = np.full(count, -1), np.full(count, np.inf)
    for group in range(count):
        _find_nearest(group, sums, sizes, nearest, means)
    while count:
        first = int(np.argmin(means))
        if not means[first] <= threshold:
            break
        second = nearest[first]
        _absorb(first, second, sums, sizes, nearest, means)
        for member in range(count):
            if heads[member] == second:
                heads[member] = first
        _find_nearest(first, sums, sizes, nearest, means)
    return heads


@compiled()
def _find_nearest(group: int, sums: Floats, sizes: Floats, nearest: Ints, means: Floats) -> None:
    """Set nearest and means of one group from the later ones; those that were absorbed have size 0."""
    nearest[group], means[group] = -1, np.inf
    for other in range(group + 1, len(sums)):
        if sizes[other] > 0:
            mean = sums[group, other] / (sizes[group] * sizes[other])
            if mean < means[group]:
                nearest[group], means[group] = other, mean


@compiled()
def _absorb(first: int, second: int, sums: Floats, sizes: Floats, nearest: Ints, means: Floats) -> None:
    """Add group `second` to the earlier `first`; keep nearest and means up to date, except those of it."""
    for other in range(len(sums)):
        if sizes[other] > 0 and other not in (first, second):
            into = sums[min(first, other), max(first, other)] + sums[min(second, other), max(second, other)]
            sums[min(first, other), max(first, other)] = into
    sizes[first] += sizes[second]
    sizes[second], means[second] = 0, np.inf
    for other in range(second):
        if sizes[other] == 0 or other == first:
            continue
        if nearest[other] in (first, second):
            _find_nearest(other, sums, sizes, nearest, means)
        elif other < first:
            # a mean lies between those it comes from, so it is never below the smallest, but may be equal
            mean = sums[other, first] / (sizes[other] * sizes[first])
            if mean < means[other] or (mean == means[other] and first < nearest[other]):
                nearest[other], means[other] = first, mean
