"""Verification: true and false positive rates over all pairs of query and gallery images.

Market-1501 has 53 million pairs, too many to keep all distances. The distances of pairs of one identity are
kept. Of pairs of two identities, only the nearest are kept, as many as the requested rates need; all of them
are counted in narrow bins of distance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features, distance_blocks
from reid_gl.evaluation.scores.identities import check_identities
from reid_gl.evaluation.scores.pair_counting import (
    NUM_BINS,
    bin_numbers,
    collect_pairs,
    count_pairs,
    upper_edges,
)
from reid_gl.records import JUNK_PID, Features

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
NUM_CURVE_POINTS = 500
"""Points of the curve on a linear axis of false positive rates, and as many on a logarithmic axis."""


@dataclass(frozen=True)
class OperatingPoint:
    """Rates when all pairs up to one distance threshold are accepted.

    Attributes:
        asked_rate: requested false positive rate.
        threshold: pairs with at most this distance are accepted; -inf accepts none, NaN if not measurable.
        false_positive_rate: share of pairs of two identities that are accepted, at most asked_rate.
        true_positive_rate: share of pairs of one identity that are accepted; NaN if not measurable.
        reason: why the point cannot be measured; empty if it can.
    """

    asked_rate: float
    threshold: float
    false_positive_rate: float
    true_positive_rate: float
    reason: str = ""


@dataclass(frozen=True)
class VerificationResult:
    """Scores of accepting pairs by distance, all rates in [0, 1].

    Attributes:
        points: one exact point for each requested rate, in the order requested.
        thresholds: (R,) thresholds of the curve, ascending from -inf.
        false_positive_rate: (R,) at each threshold, exact; from 0 to 1.
        true_positive_rate: (R,) at each threshold, exact.
        equal_error_rate: rate at which false positives and misses are equally frequent, interpolated linearly
            between the two nearest thresholds.
        num_positive: pairs of one identity.
        num_negative: pairs of two identities.
    """

    points: tuple[OperatingPoint, ...]
    thresholds: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]
    equal_error_rate: float
    num_positive: int
    num_negative: int


@dataclass(frozen=True)
class _Curve:
    """Thresholds (R,), ascending from -inf, and how many negatives and positives (R,) each accepts."""

    thresholds: NDArray[np.float64]
    false_positives: Ints
    true_positives: Ints


def verify_pairs(
    query: Features,
    gallery: Features,
    *,
    metric: str = "cosine",
    use_cameras: bool = True,
    false_positive_rates: Sequence[float] = (1e-4, 1e-3, 1e-2),
) -> VerificationResult:
    """Score all pairs of a query and a gallery image without holding all distances in memory.

    Pairs with junk, and pairs of one identity in one camera, do not count. A pair is accepted if its distance
    is at most the threshold, so pairs at equal distance are accepted together. The chosen threshold never
    exceeds the requested rate. A rate below 1 / num_negative cannot be measured: its point is NaN and gives
    the reason.

    Up to the largest requested rate, every distance that occurs is a possible threshold. Beyond it there is
    one threshold per bin, and a bin is at most 2 ** -12 of the distance wide. The curve has fewer points
    there, but all of them are exact. An equal error rate in that range is off by less than the share of pairs
    in one bin.

    Memory: the distances of all pairs of one identity, those of the nearest pairs of two identities (the
    largest requested rate's share of them), and four blocks of distances.

    Args:
        query: Q features with identities and cameras.
        gallery: G features.
        metric: "cosine" or "euclidean".
        use_cameras: leave out pairs of one identity in one camera.
        false_positive_rates: rates to report the true positive rate at, each in (0, 1).

    Returns:
        The requested points, the curve and the equal error rate.

    Raises:
        ValueError: a rate is out of range, shapes disagree, features are not finite, or there is no pair of
            one identity or no pair of two identities.
    """
    if not false_positive_rates or not all(0 < rate < 1 for rate in false_positive_rates):
        raise ValueError(f"expected false positive rates between 0 and 1, got {tuple(false_positive_rates)}")
    check_features(query.embeddings, gallery.embeddings)
    query_ids, gallery_ids = (
        check_identities(name, side.pids, side.camids if use_cameras else None, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    )
    num_negative = _count_negative(query_ids[0], gallery_ids[0])
    if not num_negative:
        raise ValueError("no pair of two identities is left: expected queries and gallery of several people")
    num_kept = _allowed(max(false_positive_rates), num_negative) + 1
    blocks = distance_blocks(query.embeddings, gallery.embeddings, metric=metric)
    positives, nearest, histogram = _stream(blocks, query_ids, gallery_ids, num_kept)
    if not len(positives):
        raise ValueError(
            "no pair of one identity is left: with one camera only, score without the camera rule "
            "(TEST.CAMERA_FILTER off)"
        )
    curve = _curve(positives, nearest, histogram, _largest(nearest, num_kept))
    return _summarise(curve, false_positive_rates)


def _count_negative(query_pids: Ints, gallery_pids: Ints) -> int:
    """Count the pairs of two identities, without junk."""
    queries, images = (pids[pids != JUNK_PID] for pids in (query_pids, gallery_pids))
    in_gallery = Counter(images.tolist())
    return len(queries) * len(images) - sum(in_gallery[pid] for pid in queries.tolist())


def _allowed(rate: float, num_negative: int) -> int:
    """Largest count with count / num_negative <= rate in floating point."""
    guess = round(rate * num_negative)
    return guess if guess / num_negative <= rate else guess - 1


def _stream(
    blocks: Iterable[Floats], query: tuple[Ints, Ints], gallery: tuple[Ints, Ints], num_kept: int
) -> tuple[Floats, Floats, Ints]:
    """Return sorted distances of positives and of the num_kept nearest negatives, and negatives per bin."""
    positives: list[Floats] = []
    nearest = np.empty(0, dtype=np.float32)
    histograms = np.zeros((numba.get_num_threads(), NUM_BINS), dtype=np.int64)
    done = 0
    for block in blocks:
        ids = (query[0][done : done + len(block)], query[1][done : done + len(block)])
        done += len(block)
        limit = _largest(nearest, num_kept)
        counts = np.empty((len(block), 2), dtype=np.int64)
        count_pairs(block, block.view(np.int32), ids, gallery, limit, histograms, counts)
        ends = np.cumsum(counts, axis=0)
        same, near = (np.empty(total, dtype=np.float32) for total in ends[-1])
        collect_pairs(block, ids, gallery, limit, ends, same, near)
        positives.append(same)
        nearest = _smallest(np.concatenate([nearest, near]), num_kept)
    return np.sort(np.concatenate(positives)), np.sort(nearest), histograms.sum(axis=0)


def _smallest(values: Floats, count: int) -> Floats:
    return np.partition(values, count - 1)[:count].copy() if len(values) > count else values


def _largest(nearest: Floats, num_kept: int) -> np.float32:
    """Distance from which on negatives are not kept individually; infinite while fewer than num_kept are."""
    largest: np.float32 = nearest.max() if len(nearest) == num_kept else np.float32(np.inf)
    return largest


def _curve(positives: Floats, nearest: Floats, histogram: Ints, last: np.float32) -> _Curve:
    """Use every distance below the last kept one as threshold, then the upper edges of non-empty bins."""
    observed = np.unique(np.concatenate([nearest, positives]))
    low = observed[observed < last]
    used = histogram > 0
    used[bin_numbers(positives)] = True
    bins = np.flatnonzero(used)
    edges = upper_edges(bins)
    beyond = edges >= last
    false_positives = np.concatenate(
        [[0], np.searchsorted(nearest, low, side="right"), np.cumsum(histogram)[bins][beyond]]
    )
    thresholds = np.concatenate([np.full(1, -np.inf, np.float32), low, edges[beyond]])
    true_positives = np.searchsorted(positives, thresholds, side="right")
    return _Curve(thresholds.astype(np.float64), false_positives, true_positives)


def _summarise(curve: _Curve, asked: Sequence[float]) -> VerificationResult:
    num_negative, num_positive = int(curve.false_positives[-1]), int(curve.true_positives[-1])
    false_rate = curve.false_positives / num_negative
    true_rate = curve.true_positives / num_positive
    logarithmic = np.geomspace(1 / num_negative, 1, NUM_CURVE_POINTS)
    wanted = np.concatenate([np.linspace(0, 1, NUM_CURVE_POINTS), logarithmic])
    shown = np.searchsorted(false_rate, wanted, side="right") - 1
    shown = np.unique(np.concatenate([[0], shown, [len(false_rate) - 1]]))
    return VerificationResult(
        points=tuple(_operating_point(curve, rate) for rate in asked),
        thresholds=curve.thresholds[shown],
        false_positive_rate=false_rate[shown],
        true_positive_rate=true_rate[shown],
        equal_error_rate=_equal_error_rate(false_rate, 1.0 - true_rate),
        num_positive=num_positive,
        num_negative=num_negative,
    )


def _operating_point(curve: _Curve, rate: float) -> OperatingPoint:
    num_negative = int(curve.false_positives[-1])
    allowed = _allowed(rate, num_negative)
    if not allowed:
        reason = f"{num_negative:,} pairs of two identities cannot show a rate of {rate:g}"
        return OperatingPoint(rate, float("nan"), float("nan"), float("nan"), reason)
    place = np.searchsorted(curve.false_positives, allowed, side="right") - 1
    return OperatingPoint(
        rate,
        threshold=float(curve.thresholds[place]),
        false_positive_rate=float(curve.false_positives[place] / num_negative),
        true_positive_rate=float(curve.true_positives[place] / curve.true_positives[-1]),
    )


def _equal_error_rate(false_rate: NDArray[np.float64], missed_rate: NDArray[np.float64]) -> float:
    """Interpolate where the false rate, rising from 0 to 1, crosses the missed rate, falling from 1 to 0."""
    gaps = false_rate - missed_rate
    after = int(np.searchsorted(gaps, 0.0))
    before = after - 1
    share = -gaps[before] / (gaps[after] - gaps[before])
    return float(false_rate[before] + share * (false_rate[after] - false_rate[before]))
