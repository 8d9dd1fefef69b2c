from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation.scores.verification import verify_pairs
from reid_gl.evaluation.thresholds.intervals import redraw_thresholds
from reid_gl.records import Features
from tests.evaluation.thresholds.made_up_features import messy, of_everything
from tests.reference.slow_calibration import (
    slow_people,
    slow_redrawn_threshold,
)

RATES = (0.02, 0.1)


def test_redrawn_thresholds_agree_with_the_definition() -> None:
    for seed in range(8):
        query, gallery = messy(seed, 20), messy(seed + 100, 30)
        num_people = slow_people(query, gallery)[2]
        pairs = of_everything(query, gallery)
        draws = np.random.default_rng(seed).multinomial(
            num_people, np.full(num_people, 1 / num_people), size=8
        )
        found = redraw_thresholds(query, gallery, RATES, limit=np.inf, num_redraws=8, seed=seed)
        assert found is not None
        expected = [
            [slow_redrawn_threshold(*pairs, drawn, rate) for rate in RATES] for drawn in draws.tolist()
        ]
        assert found.tolist() == expected
        within = redraw_thresholds(query, gallery, RATES, limit=found.max() + 0.1, num_redraws=8, seed=seed)
        assert within is not None
        assert np.array_equal(within, found)
        assert redraw_thresholds(query, gallery, RATES, limit=found.max(), num_redraws=8, seed=seed) is None


def test_everybody_drawn_once_is_the_threshold_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Once:
        def multinomial(self, count: int, _: Any, size: int) -> np.ndarray:
            return np.ones((size, count), np.int64)

    query, gallery = messy(3, 30), messy(4, 40)
    exact = [point.threshold for point in verify_pairs(query, gallery, false_positive_rates=RATES).points]
    monkeypatch.setattr(np.random, "default_rng", lambda _: Once())
    found = redraw_thresholds(query, gallery, RATES, limit=np.inf, num_redraws=2, seed=0)
    assert found is not None
    assert found.tolist() == [exact, exact]


def test_draws_of_one_person_only_are_left_out() -> None:
    pair = Features(np.eye(2, dtype=np.float32), np.array([1, 2]), np.array([0, 1]))
    found = redraw_thresholds(pair, pair, [0.5], limit=np.inf, num_redraws=100, seed=0)
    assert found is not None
    assert 30 < len(found) < 70  # both are drawn in half of the draws
