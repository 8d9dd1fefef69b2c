from __future__ import annotations

import numpy as np

from reid_gl.evaluation.thresholds.distance_histograms import distance_histograms
from tests.evaluation.thresholds.made_up_features import messy, of_everything
from tests.reference.slow_calibration import (
    slow_histogram,
)


def test_histograms_agree_with_the_definition() -> None:
    for seed in range(8):
        query, gallery = messy(seed, 20), messy(seed + 100, 30)
        same, different = of_everything(query, gallery)
        histograms, means = distance_histograms(query, gallery, num_bins=16)
        assert histograms.tolist() == [
            slow_histogram(same, 16),
            slow_histogram([pair[0] for pair in different], 16),
        ]
        expected = [1 - np.mean(same), 1 - np.mean([pair[0] for pair in different])]
        np.testing.assert_allclose(means, expected, atol=1e-7)
