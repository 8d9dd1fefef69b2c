"""Tracks of one camera each to people over all cameras."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

NO_TRACKLET = -1
"""Number of pictures that belong to none."""

Floats = NDArray[np.float64]
Cameras = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One person followed in one camera.

    Attributes:
        camid: camera.
        start: time of the first picture, in any unit on the clock that all cameras share.
        end: time of the last picture, at least start.
        feature: (D,) of any length; zeros if nothing was seen well, which is like nobody.
    """

    camid: int
    start: float
    end: float
    feature: NDArray[np.floating]


class PooledTracklets(NamedTuple):
    """One feature for each tracklet.

    Attributes:
        ids: (T,) int64 numbers of the tracklets, ascending.
        features: (T, D) float32 of length one; zeros where every picture's were.
    """

    ids: NDArray[np.int64]
    features: NDArray[np.float32]


def pool_tracklets(
    features: ArrayLike, tracklet_ids: ArrayLike, weights: ArrayLike | None = None
) -> PooledTracklets:
    """The mean direction of each tracklet's pictures.

    Args:
        features: (M, D) of any length, which does not count; rows of zeros, as of empty boxes, do not either.
        tracklet_ids: (M,) whole numbers; pictures of -1 belong to none.
        weights: (M,) at least 0, such as visibility or the detector's score; None for 1.

    Raises:
        ValueError: shapes that disagree, or numbers that are negative or not finite.
    """
    rows, ids = np.array(features, dtype=np.float64), np.asarray(tracklet_ids)
    shares = np.ones(len(ids)) if weights is None else np.asarray(weights, dtype=np.float64)
    if rows.ndim != 2 or ids.shape != (len(rows),) or shares.shape != ids.shape:
        raise ValueError(
            "expected features (M, D), tracklet_ids (M,) and weights (M,), got "
            f"{rows.shape}, {ids.shape} and {shares.shape}"
        )
    if len(ids) and ids.dtype.kind not in "iu":
        raise ValueError(f"tracklet_ids must be whole numbers, got {ids.dtype}")
    if not np.isfinite(rows).all() or not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError("features and weights must be finite and weights at least 0: leave out what is not")
    kept = ids != NO_TRACKLET
    names, places = np.unique(ids[kept], return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, places, _unit(rows[kept]) * shares[kept, None])
    return PooledTracklets(names.astype(np.int64), _unit(sums).astype(np.float32))


def associate_tracklets(
    tracklets: Sequence[Tracklet],
    *,
    threshold: float,
    overlapping_cameras: Collection[Cameras] = (),
    min_travel_times: Mapping[Cameras, float] | None = None,
) -> NDArray[np.int64]:
    """Find the tracklets of one person, by average linkage of cosine distances under constraints.

    Two tracklets that cannot be one person, see cannot_link, never share an identity, nor by way of a third.
    Beginning with every tracklet alone, the two groups with the smallest mean distance over all pairs
    between them are joined, if no such pair is forbidden, until no mean is within the threshold. The result
    is exact for this rule and the same in any order of the input unless distances are equal.

    Why the mean: linking by the nearest pair chains people together over one mistake, by the farthest pair
    loses a person over one bad view, and the mean of a group is of the kind that the threshold was
    calibrated on. The best partition under a sum of costs would be NP-hard, and joins once made are not
    undone here either: a wrong early one can block a right later one.

    Cost: a few (T, T) arrays of 8 bytes, and T ** 2 operations.

    Args:
        tracklets: T of any cameras, in any order.
        threshold: of Calibration.threshold. It holds for pairs of pictures; pooled features of one person
            lie nearer to each other than those, so that fewer of them are missed.
        overlapping_cameras: pairs of cameras, in either order, which can see somebody at the same time.
        min_travel_times: pair of cameras, in either order, to the least time from leaving one to entering
            the other; 0 where not given.

    Returns:
        (T,) int64 identities 0, 1, ... in the order in which they first occur.

    Raises:
        ValueError: a threshold, time or feature that cannot be used, or a pair of cameras that contradicts
            another or itself.

    Source:
        Davidson and Ravi, "Agglomerative hierarchical clustering with constraints", PKDD 2005.
    """
    if not math.isfinite(threshold):
        raise ValueError(f"threshold must be a finite cosine distance, got {threshold}")
    forbidden = cannot_link(
        tracklets, overlapping_cameras=overlapping_cameras, min_travel_times=min_travel_times
    )
    if not len(tracklets):
        return np.zeros(0, np.int64)
    features = _stack(tracklets)
    unit = _unit(features)
    distances = 1.0 - unit @ unit.T
    distances[forbidden] = np.inf
    empty = ~features.any(axis=1)
    distances[empty] = distances[:, empty] = np.inf
    return _average_linkage(distances, threshold)


def _average_linkage(distances: Floats, threshold: float) -> NDArray[np.int64]:
    """Identities (T,) of groups whose mean distance is within the threshold; infinite pairs never join.

    An infinite distance becomes one so large that the mean over any two groups with such a pair, of at most
    T ** 2 / 4 pairs, is beyond the threshold.
    """
    if len(distances) == 1:
        return np.zeros(1, np.int64)
    forbidden = (1.0 + max(threshold, 0.0)) * len(distances) ** 2
    condensed = squareform(np.where(np.isinf(distances), forbidden, distances), checks=False)
    groups = fcluster(linkage(condensed, method="average"), threshold, criterion="distance")
    _, firsts, places = np.unique(groups, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = firsts.argsort().argsort()[places].astype(np.int64)
    return numbers


def cannot_link(
    tracklets: Sequence[Tracklet],
    *,
    overlapping_cameras: Collection[Cameras] = (),
    min_travel_times: Mapping[Cameras, float] | None = None,
) -> NDArray[np.bool_]:
    """Which tracklets cannot be one person; arguments and errors as associate_tracklets.

    In one camera, and in two that do not overlap, times from start to end must not meet, not even in one
    instant, and the gap between two cameras must be at least their travel time.

    Returns:
        (T, T) bool, symmetric, False on the diagonal.
    """
    both_ways = {pair for a, b in overlapping_cameras for pair in ((a, b), (b, a))}
    travel = {pair: time for (a, b), time in (min_travel_times or {}).items() for pair in ((a, b), (b, a))}
    _check_cameras(both_ways, min_travel_times or {})
    for place, tracklet in enumerate(tracklets):
        if not (
            math.isfinite(tracklet.start) and math.isfinite(tracklet.end) and tracklet.start <= tracklet.end
        ):
            raise ValueError(
                f"tracklet {place} must go from a time to a later one, got {tracklet.start} to {tracklet.end}"
            )
    starts, ends = (np.array([getattr(item, name) for item in tracklets]) for name in ("start", "end"))
    camids = np.array([tracklet.camid for tracklet in tracklets], dtype=np.int64)
    gaps = np.maximum.outer(starts, starts) - np.minimum.outer(ends, ends)  # below 0: they meet
    forbidden: NDArray[np.bool_] = gaps <= 0
    for (a, b), time in travel.items():
        forbidden |= np.outer(camids == a, camids == b) & (gaps < time)
    for a, b in both_ways:
        forbidden &= ~np.outer(camids == a, camids == b)
    np.fill_diagonal(forbidden, False)
    return forbidden


def _check_cameras(overlapping: Collection[Cameras], travel: Mapping[Cameras, float]) -> None:
    for first, second in [*overlapping, *travel]:
        if first == second:
            raise ValueError(f"camera {first} is paired with itself: expected two cameras")
    for pair, time in travel.items():
        if not (math.isfinite(time) and time >= 0):
            raise ValueError(f"the travel time of cameras {pair} must be at least 0, got {time}")
        if pair in overlapping:
            raise ValueError(f"cameras {pair} overlap and have a travel time: leave one of them out")
        if travel.get(pair[::-1], time) != time:
            raise ValueError(f"cameras {pair} have two travel times: expected one for both directions")


def _stack(tracklets: Sequence[Tracklet]) -> Floats:
    """Features (T, D)."""
    rows = [np.asarray(tracklet.feature, dtype=np.float64) for tracklet in tracklets]
    for place, row in enumerate(rows):
        if row.ndim != 1 or row.shape != rows[0].shape or not np.isfinite(row).all():
            raise ValueError(
                f"tracklet {place} must have a finite feature {rows[0].shape}, got one of {row.shape}; "
                "pool_tracklets makes one of many"
            )
    return np.stack(rows)


def _unit(rows: Floats) -> Floats:
    """Rows of length one; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1.0)
    return unit
