"""The probability that two images show one person, from the histograms of a calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.isotonic import isotonic_regression

from reid_gl.evaluation.thresholds.distance_histograms import LARGEST_DISTANCE
from reid_gl.evaluation.thresholds.record import Calibration

DOUBT = 0.5
"""Pairs of each kind added to each step, so that no finite number of pairs makes certain."""


def same_person_probability(
    calibration: Calibration, distances: ArrayLike, *, prior: float | None = None
) -> NDArray[np.float64]:
    """Probability that two images at a cosine distance show one person.

    The share of one person's pairs among all calibrated pairs is fitted by steps that fall with the distance
    (isotonic regression), and then moved from the share of such pairs in the calibration to the prior.

    Args:
        calibration: of the network that made the features.
        distances: any shape, cosine distances.
        prior: share of one person's pairs among the pairs that will be compared, in (0, 1); None takes the
            share in the calibration. A gallery of many people has a much smaller one: with ten images of
            the person among 100,000 it is 1e-4.

    Returns:
        Probabilities in (0, 1), of the same shape; never larger for a larger distance.

    Raises:
        ValueError: a prior outside (0, 1).

    Source:
        Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates",
        KDD 2002, for isotonic regression.
    """
    if prior is not None and not 0 < prior < 1:
        raise ValueError(f"prior must lie between 0 and 1, both excluded, got {prior}")
    same = np.array(calibration.histogram_same, np.float64)
    different = np.array(calibration.histogram_different, np.float64)
    shares = _falling_shares(same, different)
    if prior is not None:
        calibrated = same.sum() / (same.sum() + different.sum())
        odds = shares / (1 - shares) * (prior / (1 - prior)) / (calibrated / (1 - calibrated))
        shares = odds / (1 + odds)
    bins = np.asarray(distances, np.float64) * (len(shares) / LARGEST_DISTANCE)
    found: NDArray[np.float64] = shares[np.clip(bins.astype(np.int64), 0, len(shares) - 1)]
    return found


def _falling_shares(same: NDArray[np.float64], different: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of one person's pairs in each bin, in (0, 1), falling with the distance."""
    filled = np.flatnonzero(same + different)
    total = (same + different)[filled]
    fitted = isotonic_regression(same[filled] / total, sample_weight=total, increasing=False)
    steps = np.concatenate([[0], np.cumsum(np.diff(fitted) != 0)])
    of_same, of_all = np.bincount(steps, same[filled]), np.bincount(steps, total)
    shares = np.minimum.accumulate((of_same + DOUBT) / (of_all + 2 * DOUBT))[steps]
    nearest = np.clip(np.searchsorted(filled, np.arange(len(same)), side="right") - 1, 0, None)
    return np.asarray(shares[nearest])
