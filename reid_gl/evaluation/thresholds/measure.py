"""Measure thresholds on all pairs of labelled features, with bootstrap intervals that resample people."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from reid_gl.evaluation.scores.identities import check_identities
from reid_gl.evaluation.scores.verification import OperatingPoint, VerificationResult, verify_pairs
from reid_gl.evaluation.thresholds.distance_histograms import distance_histograms
from reid_gl.evaluation.thresholds.intervals import redraw_thresholds
from reid_gl.evaluation.thresholds.record import CalibratedCameras, CalibratedPoint, Calibration
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, Features

logger = logging.getLogger(__name__)

FALSE_ACCEPT_RATES = (1e-2, 1e-3, 1e-4)
MIN_FALSE_ACCEPTS = 10
"""Minimum number of false accepts at a rate; with fewer, the threshold is noise."""
MIN_PEOPLE_OF_CAMERAS = 10
"""Minimum number of people seen by both cameras of a pair that gets its own thresholds."""
MIN_SAME_OF_CAMERAS = 50
"""Minimum number of genuine pairs, one image from each camera, of a pair that gets its own thresholds."""
NUM_BINS = 400
NUM_ROC_POINTS = 200
FIRST_SHARE = 2.0
"""Share of impostor pairs kept for the bootstrap, as a multiple of the largest rate; doubled if too small."""


def calibrate(
    query: Features,
    gallery: Features | None = None,
    *,
    source: str,
    false_accept_rates: Sequence[float] = FALSE_ACCEPT_RATES,
    num_redraws: int = 400,
    seed: int = 0,
) -> Calibration:
    """Measure the cosine distances of genuine and impostor pairs, and thresholds between them.

    Genuine pairs show the same person, impostor pairs different people. A pair is accepted if its distance is
    at most the threshold. Pairs with junk and genuine pairs within one camera are ignored. If no person is
    seen by two cameras, the latter are used; the log and `source` say so, because true accept rates are
    higher there. Thresholds, true accept rates and the ROC curve are exact, see verify_pairs.

    Intervals are 95 % bootstrap intervals that resample people instead of pairs, because pairs that share a
    person are not independent. Each of the `num_redraws` samples draws U of the U people with replacement. An
    impostor pair counts as often as both of its people were drawn together; pairs between two draws of the
    same person are ignored. Intervals end at the 2.5 and 97.5 percentiles of the thresholds.

    Memory: that of verify_pairs, plus 12 bytes for each held pair, about twice the largest rate of all pairs.

    Args:
        query: features with identities and cameras; cameras are -1 if unknown.
        gallery: features to compare with; None compares every image of `query` with every other one, without
            distractors (identity 0), because it is unknown which of them show the same person.
        source: description of the images, stored with the result.
        false_accept_rates: rates to calibrate, each in (0, 1).
        num_redraws: number of bootstrap samples, at least 2.
        seed: seed of the bootstrap.

    Returns:
        The calibration. Rates with fewer than MIN_FALSE_ACCEPTS false accepts are listed in `missing`.

    Raises:
        ValueError: see verify_pairs; or there are too few pairs for any of the rates.

    Source:
        Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap",
        CVIU 2004, for resampling people; here both people of a pair are drawn.
    """
    if num_redraws < 2:
        raise ValueError(f"num_redraws must be at least 2, got {num_redraws}")
    both, source = _choose_sides(query, gallery, source)
    num_times = 1 if gallery is not None else 2  # without a gallery, each pair is counted from both images
    result, points = _points(both, false_accept_rates, num_times, num_redraws, seed)
    found, missing = _divide(points, source)
    return Calibration(
        source=source,
        points=found,
        missing=missing,
        camera_pairs=_camera_pairs(both, false_accept_rates, num_times, num_redraws, seed),
        equal_error_rate=result.equal_error_rate,
        num_identities=len(np.setdiff1d(np.union1d(both[0].pids, both[1].pids), (-1, DISTRACTOR_PID))),
        num_same=result.num_positive // num_times,
        num_different=result.num_negative // num_times,
        roc=_thinned(result),
        **_distributions(both, num_times),
    )


def _divide(
    points: Sequence[CalibratedPoint | OperatingPoint], source: str
) -> tuple[tuple[CalibratedPoint, ...], tuple[tuple[float, str], ...]]:
    """Return the calibrated points, and the other rates with their reasons.

    Raises:
        ValueError: no point is calibrated.
    """
    found = tuple(point for point in points if isinstance(point, CalibratedPoint))
    missing = tuple((point.asked_rate, point.reason) for point in points if isinstance(point, OperatingPoint))
    if not found:
        raise ValueError(
            f"{source} is too small to calibrate: {missing[0][1]}; add images of more people, or ask for "
            "larger rates"
        )
    return found, missing


def _distributions(both: tuple[Features, Features], num_times: int) -> dict[str, Any]:
    """Return the fields of a calibration that describe all distances: means and histograms."""
    histograms, means = distance_histograms(*both, num_bins=NUM_BINS)
    same, different = (histograms // num_times).tolist()
    return {
        "mean_cosine_same": float(means[0]),
        "mean_cosine_different": float(means[1]),
        "histogram_same": tuple(same),
        "histogram_different": tuple(different),
    }


def _choose_sides(
    query: Features, gallery: Features | None, source: str
) -> tuple[tuple[Features, Features], str]:
    """Return what is compared with what, and the source.

    Cameras are left out, and the source says so, if no person is seen by two.
    """
    both = (query, gallery) if gallery is not None else _against_itself(query)
    if _any_seen_by_two_cameras(*both):
        return both, source
    logger.warning(
        "nobody in %s is seen by two cameras: pairs of one person in one camera count, which look more "
        "alike than pairs from two cameras, above all neighbouring frames of one track",
        source,
    )
    source = f"{source} (pairs of one person within one camera)"
    if gallery is None:
        return _against_itself(_without_cameras(query)), source
    return (_without_cameras(query), _without_cameras(gallery)), source


def _any_seen_by_two_cameras(query: Features, gallery: Features) -> bool:
    """Whether any person has images from two cameras, or from unknown cameras."""
    sides = [
        check_identities(name, side.pids, side.camids, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    ]
    shared = np.intersect1d(sides[0][0], sides[1][0])
    pids, camids = (np.concatenate(column) for column in zip(*sides, strict=True))
    chosen = np.isin(pids, shared[shared > DISTRACTOR_PID])
    places = np.unique(np.stack([pids[chosen], camids[chosen]]), axis=1)
    return bool((places[1] < 0).any() or len(np.unique(places[0])) < places.shape[1])


def _without_cameras(features: Features) -> Features:
    return replace(features, camids=np.full(len(features.embeddings), -1))


def _against_itself(features: Features) -> tuple[Features, Features]:
    """Return `features` twice, as query and gallery, without distractors.

    Each image with an unknown camera gets its own camera number, so that it is not compared with itself.
    """
    pids, camids = check_identities("query", features.pids, features.camids, len(features.embeddings))
    kept = pids != DISTRACTOR_PID
    if not (pids[kept] != JUNK_PID).any():
        raise ValueError("no image of a known person is left: expected identities from 1 on")
    own = np.where(camids < 0, camids.max() + 1 + np.arange(len(camids)), camids)
    alone = Features(features.embeddings[kept], pids[kept], own[kept])
    return alone, alone


def _points(
    sides: tuple[Features, Features], rates: Sequence[float], num_times: int, num_redraws: int, seed: int
) -> tuple[VerificationResult, list[CalibratedPoint | OperatingPoint]]:
    """Return the ROC curve, and for each rate the threshold with its interval, or the reason for none."""
    share = min(FIRST_SHARE * max(rates, default=0), 0.5)
    result = verify_pairs(*sides, false_positive_rates=(*rates, *[share] * (share > 0)))
    *asked, last = result.points
    num_different = result.num_negative // num_times
    checked = [_refuse(point, num_different) for point in asked]
    usable = [point.asked_rate for point in checked if not point.reason]
    if not usable:
        return result, [*checked]
    # hold all pairs if the nearest ones all have the same distance, or if hardly any are left
    limit = last.threshold if np.isfinite(last.threshold) else np.inf
    redraw = partial(redraw_thresholds, *sides, usable, num_redraws=num_redraws, seed=seed)
    while (thresholds := redraw(limit=limit)) is None:
        share *= 2
        limit = np.inf
        if share < 1:
            limit = verify_pairs(*sides, false_positive_rates=(share,)).points[0].threshold
    # "nearest" instead of interpolating, because a sample in which nothing can be accepted gives -inf
    low, high = np.quantile(thresholds, (0.025, 0.975), axis=0, method="nearest")
    intervals = dict(zip(usable, zip(low, high, strict=True), strict=True))
    return result, [
        point if point.reason else _calibrated(point, *intervals[point.asked_rate]) for point in checked
    ]


def _refuse(point: OperatingPoint, num_different: int) -> OperatingPoint:
    """Return the point, with a reason if its rate cannot be calibrated."""
    if point.asked_rate * num_different < MIN_FALSE_ACCEPTS:
        needed = int(np.ceil(MIN_FALSE_ACCEPTS / point.asked_rate))
        reason = f"it takes {needed:,} pairs of two people, there are {num_different:,}"
        return replace(point, reason=reason)
    if not np.isfinite(point.threshold):
        return replace(point, reason="too many pairs of two people share the smallest distance")
    return point


def _calibrated(point: OperatingPoint, low: float, high: float) -> CalibratedPoint:
    interval = (max(0.0, float(low)), max(0.0, float(high)))
    return CalibratedPoint(point.asked_rate, point.threshold, interval, point.true_positive_rate)


def _camera_pairs(
    sides: tuple[Features, Features], rates: Sequence[float], num_times: int, num_redraws: int, seed: int
) -> tuple[CalibratedCameras, ...]:
    """Calibrate pairs of cameras: both orders with a gallery; without one, each pair once."""
    pairs = []
    for first, second in product(*(_cameras(side) for side in sides)):
        if first == second or (num_times == 2 and first > second):
            continue
        chosen = (_of_camera(sides[0], first), _of_camera(sides[1], second))
        if not _is_enough(*chosen):
            continue
        result, points = _points(chosen, rates, 1, num_redraws, seed)
        found = tuple(point for point in points if isinstance(point, CalibratedPoint))
        if found:
            numbers = (result.equal_error_rate, result.num_positive, result.num_negative)
            pairs.append(CalibratedCameras(first, second, found, *numbers))
    return tuple(pairs)


def _cameras(side: Features) -> list[int]:
    """Return the known cameras that see at least MIN_PEOPLE_OF_CAMERAS people."""
    numbers: list[int] = np.unique(side.camids[side.camids >= 0]).tolist()
    return [
        camid for camid in numbers if len(np.unique(side.pids[side.camids == camid])) >= MIN_PEOPLE_OF_CAMERAS
    ]


def _of_camera(side: Features, camid: int) -> Features:
    chosen = side.camids == camid
    return Features(side.embeddings[chosen], side.pids[chosen], side.camids[chosen])


def _is_enough(query: Features, gallery: Features) -> bool:
    """Whether two cameras share enough people and genuine pairs to be calibrated."""
    people, counts = np.unique(query.pids[query.pids > DISTRACTOR_PID], return_counts=True)
    others = np.array([np.count_nonzero(gallery.pids == pid) for pid in people], dtype=np.int64)
    shared = np.count_nonzero(others)
    return bool(shared >= MIN_PEOPLE_OF_CAMERAS and counts @ others >= MIN_SAME_OF_CAMERAS)


def _thinned(result: VerificationResult) -> tuple[tuple[float, float, float], ...]:
    """Return up to NUM_ROC_POINTS points of the curve, without its start, where nothing is accepted."""
    count = len(result.thresholds)
    places = np.unique(np.linspace(1, count - 1, min(NUM_ROC_POINTS, count - 1)).round().astype(int))
    columns = (result.thresholds, result.false_positive_rate, result.true_positive_rate)
    return tuple(zip(*(column[places].tolist() for column in columns), strict=True))
