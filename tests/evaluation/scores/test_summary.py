from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.counting import FIRST_MATCH, NUM_SCORES
from reid_gl.evaluation.scores.summary import summarise, why_nothing


def test_queries_without_a_match_do_not_count() -> None:
    scores = np.full((3, NUM_SCORES), np.nan)
    scores[:, FIRST_MATCH] = (1, 0, 3)
    scores[[0, 2], :FIRST_MATCH] = [[1.0, 1.0, 1.0], [0.5, 0.25, 0.75]]
    result = summarise(scores, num_gallery=9, max_rank=4)
    assert result.cmc.tolist() == [0.5, 0.5, 1, 1]
    assert (result.mean_ap, result.mean_ap_trapezoid, result.mean_inp) == (0.75, 0.625, 0.875)
    assert (result.num_queries, result.num_scored, result.num_gallery) == (3, 2, 9)
    assert result.average_precision == pytest.approx([1, np.nan, 0.5], nan_ok=True)


def test_why_nothing_matches() -> None:
    assert why_nothing(np.array([], int), np.array([1])) == "there are no queries: nothing can be scored"
    assert "they share no identity" in why_nothing(np.array([1]), np.array([2]))
    assert "its own camera's do not count" in why_nothing(np.array([1]), np.array([1]))
