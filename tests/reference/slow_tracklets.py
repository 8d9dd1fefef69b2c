"""Association of tracklets and IDF1 over cameras from their definitions, in plain loops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from reid_gl.tracking.tracklets import Tracklet

Cameras = tuple[int, int]


def slow_is_possible(
    first: Tracklet, second: Tracklet, overlapping: set[frozenset[int]], travel: dict[frozenset[int], float]
) -> bool:
    """Whether two tracklets can be one person."""
    cameras = frozenset((first.camid, second.camid))
    if cameras in overlapping:
        return True
    if first.end < second.start:
        gap = second.start - first.end
    elif second.end < first.start:
        gap = first.start - second.end
    else:
        return False
    return gap >= travel.get(cameras, 0.0)


def slow_distance(first: Tracklet, second: Tracklet) -> float:
    """One minus the cosine; infinite for a feature of zeros."""
    lengths = [math.sqrt(sum(float(x) ** 2 for x in side.feature)) for side in (first, second)]
    if 0 in lengths:
        return math.inf
    dot = sum(float(a) * float(b) for a, b in zip(first.feature, second.feature, strict=True))
    return 1.0 - dot / (lengths[0] * lengths[1])


def slow_associate(
    tracklets: Sequence[Tracklet],
    threshold: float,
    overlapping: set[frozenset[int]],
    travel: dict[frozenset[int], float],
) -> list[int]:
    """Join the two groups of smallest mean distance, again and again."""
    groups = [[place] for place in range(len(tracklets))]
    while True:
        best: tuple[float, int, int] | None = None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                pairs = [(tracklets[i], tracklets[j]) for i in groups[a] for j in groups[b]]
                if not all(slow_is_possible(*pair, overlapping, travel) for pair in pairs):
                    continue
                mean = sum(slow_distance(*pair) for pair in pairs) / len(pairs)
                if mean <= threshold and (best is None or mean < best[0]):
                    best = (mean, a, b)
        if best is None:
            break
        _, a, b = best
        groups[a] = sorted(groups[a] + groups.pop(b))
    identities = [0] * len(tracklets)
    for number, group in enumerate(sorted(groups)):
        for place in group:
            identities[place] = number
    return identities


def identity_f1(truth: Sequence[int], found: Sequence[int]) -> float:
    """IDF1 of boxes that are the same in both, over all cameras and frames.

    True identities are matched one to one with found ones, so that as many boxes as can be carry the match.
    Source: Ristani et al., "Performance measures and a data set for multi-target, multi-camera tracking",
    ECCVW 2016.
    """
    people, numbers = sorted(set(truth)), sorted(set(found))
    together = Counter(zip(truth, found, strict=True))
    counts = np.array([[together[person, number] for number in numbers] for person in people])
    rows, columns = linear_sum_assignment(counts, maximize=True)
    # with the same boxes, what is missed and what is false are as many
    return float(counts[rows, columns].sum() / len(truth))
