"""Links single-camera tracklets into identities across cameras."""

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
"""Tracklet number of images that belong to no tracklet."""

Floats = NDArray[np.float64]
Cameras = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One person tracked in one camera.

    Attributes:
        camid: camera.
        start: time of the first image, in any unit, on a clock shared by all cameras.
        end: time of the last image, at least start.
        feature: (D,) of any norm; zeros if no image was usable. A zero feature matches no tracklet.
    """

    camid: int
    start: float
    end: float
    feature: NDArray[np.floating]


class PooledTracklets(NamedTuple):
    """One feature for each tracklet.

    Attributes:
        ids: (T,) int64 numbers of the tracklets, ascending.
        features: (T, D) float32 of norm 1; zeros if the features of all images of the tracklet are zero.
    """

    ids: NDArray[np.int64]
    features: NDArray[np.float32]


def pool_tracklets(
    features: ArrayLike, tracklet_ids: ArrayLike, weights: ArrayLike | None = None
) -> PooledTracklets:
    """Return the mean direction of the features of each tracklet's images.

    Args:
        features: (M, D) of any norm, which has no effect; rows of zeros, such as those of empty boxes, are
            ignored.
        tracklet_ids: (M,) whole numbers; images with -1 belong to no tracklet.
        weights: (M,) at least 0, such as visibility or the detector's score; None for 1.

    Raises:
        ValueError: the shapes disagree, a weight is negative, or a feature or weight is not finite.
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
    """Assign identities to tracklets by average-linkage clustering of cosine distances under constraints.

    Two tracklets that cannot be the same person (see cannot_link) never get the same identity, not even
    through a third tracklet. Every tracklet starts as its own group. Each step merges the two groups with
    the smallest mean distance over all pairs between them, unless one of these pairs is forbidden. Merging
    stops when no mean distance is within the threshold. The result follows this rule exactly; unless
    distances are equal, it does not depend on the order of the input.

    Why the mean: with the nearest pair, a single wrong match merges different people. With the farthest
    pair, a single bad view splits a person. The mean over a group is also closest to what the threshold was
    calibrated on. Finding the best partition under a sum of costs is NP-hard. Merges are never undone, so a
    wrong early merge can prevent a correct later one.

    Cost: a few (T, T) arrays of 8 bytes, and T ** 2 operations.

    Args:
        tracklets: T tracklets of any cameras, in any order.
        threshold: cosine distance, from Calibration.threshold. It was calibrated on pairs of images. Pooled
            features of one person are closer to each other than single images, so fewer pairs are missed.
        overlapping_cameras: pairs of cameras, in either order, that can see a person at the same time.
        min_travel_times: maps a pair of cameras, in either order, to the shortest time from leaving one to
            entering the other; 0 for pairs that are not given.

    Returns:
        (T,) int64 identities 0, 1, ... numbered by first occurrence.

    Raises:
        ValueError: a threshold, time or feature is invalid, or a pair of cameras contradicts another pair or
            contains the same camera twice.

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
    """Return identities (T,) by average linkage up to the threshold; infinite distances forbid a merge.

    scipy's linkage needs finite numbers. Infinite distances are replaced by a number so large that a single
    such pair lifts the mean over two groups (at most T ** 2 / 4 pairs) above the threshold.
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
    """Return which pairs of tracklets cannot be the same person; arguments and errors as associate_tracklets.

    In the same camera, and in two cameras that do not overlap, the intervals from start to end must be
    disjoint: they may not share even a single instant. The gap between two cameras must be at least their
    travel time.

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
    gaps = np.maximum.outer(starts, starts) - np.minimum.outer(ends, ends)  # 0 or less: the intervals meet
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
    """Stack the features of all tracklets to (T, D), checked for shape and finite values."""
    rows = [np.asarray(tracklet.feature, dtype=np.float64) for tracklet in tracklets]
    for place, row in enumerate(rows):
        if row.ndim != 1 or row.shape != rows[0].shape or not np.isfinite(row).all():
            raise ValueError(
                f"tracklet {place} must have a finite feature {rows[0].shape}, got one of {row.shape}; "
                "pool_tracklets makes one of many"
            )
    return np.stack(rows)


def _unit(rows: Floats) -> Floats:
    """Scale rows to norm 1; rows of zeros stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1.0)
    return unit
