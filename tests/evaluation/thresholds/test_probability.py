from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.evaluation.thresholds.probability import same_person_probability
from reid_gl.evaluation.thresholds.record import Calibration
from tests.inference.extractor.test_stored_thresholds import CALIBRATION


def with_histograms(same: list[int], different: list[int]) -> Calibration:
    return replace(CALIBRATION, histogram_same=tuple(same), histogram_different=tuple(different))


def test_by_hand() -> None:
    calibration = with_histograms([6, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 8])  # bins of a third
    first, middle, last = 6.5 / 7, 2.5 / 5, 0.5 / 9
    distances = np.array([[-1e-7, 0.1, 0.5], [0.7, 1.0, 1.4], [1.7, 2.0, 2.1]])
    expected = [[first, first, first], [middle, middle, middle], [last, last, last]]
    np.testing.assert_allclose(same_person_probability(calibration, distances), expected)


def test_steps_that_rise_are_joined() -> None:
    calibration = with_histograms([1, 3, 0, 0], [3, 1, 4, 4])
    found = same_person_probability(calibration, [0.1, 0.6, 1.9])
    np.testing.assert_allclose(found, [4.5 / 9, 4.5 / 9, 0.5 / 9])


def test_the_prior_moves_the_odds() -> None:
    calibration = with_histograms([30, 10], [10, 30])  # half of the pairs show one person
    plain = same_person_probability(calibration, [0.5, 1.5])
    np.testing.assert_allclose(same_person_probability(calibration, [0.5, 1.5], prior=0.5), plain)
    rare = same_person_probability(calibration, [0.5, 1.5], prior=0.01)
    np.testing.assert_allclose(rare / (1 - rare), plain / (1 - plain) * 0.01 / 0.99)
    for wrong in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="prior must lie between 0 and 1"):
            same_person_probability(calibration, 0.5, prior=wrong)


@pytest.mark.parametrize("prior", [None, 0.02])
def test_of_new_pairs_as_many_show_one_person_as_it_says(prior: float | None) -> None:
    distances, same = _pairs(seed=0)
    histograms = [np.histogram(distances[same == kind], bins=400, range=(0, 2))[0] for kind in (True, False)]
    calibration = with_histograms(*(histogram.tolist() for histogram in histograms))
    distances, same = _pairs(seed=1)
    weights = np.ones(len(same))
    if prior is not None:
        weights[same] = prior / (1 - prior) * (~same).sum() / same.sum()
    said = same_person_probability(calibration, distances, prior=prior)
    for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 1.0)):
        inside = (said >= low) & (said < high)
        true = np.average(same[inside], weights=weights[inside])
        assert np.average(said[inside], weights=weights[inside]) == pytest.approx(true, abs=0.05)


def _pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine distances of all pairs of six images each of 200 people, and which show one person."""
    rng = np.random.default_rng(seed)
    pids = np.repeat(np.arange(200), 6)
    images = rng.normal(size=(200, 8))[pids] + 0.5 * rng.normal(size=(1200, 8))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    rows, columns = np.triu_indices(1200, 1)
    return (1 - images @ images.T)[rows, columns], pids[rows] == pids[columns]
