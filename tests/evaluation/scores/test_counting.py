from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.counting import FIRST_MATCH, MAX_COUNTED, NUM_SCORES, score_rows
from tests.reference.slow_ranking import slow_average_precision, slow_inverse_penalty, slow_trapezoid
from tests.reference.slow_retrieval import slow_average_precision_at_r

NOT_FOUND = [-7.0] * NUM_SCORES
"""What a row holds that nobody wrote to."""


def _score(
    row: list[float], shown: list[int], *, own: int = 1, cameras: tuple[int, list[int]] | None = None
) -> list[float]:
    """Scores of one query of identity `own`; the gallery shows identity 1, others (2) and junk (-1)."""
    pids = np.array(shown)
    camid, camids = cameras or (-1, [0] * len(shown))
    scores = np.array([NOT_FOUND])
    score_rows(
        np.array([row]),
        (pids != -1).view(np.uint8),
        np.array([0, (pids == 1).sum(), (pids > 0).sum()]),
        np.concatenate([np.flatnonzero(pids == 1), np.flatnonzero(pids == 2)]),
        np.array([own - 1 if own in shown else -1]),
        np.array([[camid]]),
        np.array([camids]),
        np.array([False]),
        scores,
    )
    return scores[0].tolist()


def _slow(hits: list[bool]) -> list[float]:
    return [
        slow_average_precision(hits),
        slow_trapezoid(hits),
        slow_inverse_penalty(hits),
        hits.index(True) + 1,
        slow_average_precision_at_r(hits),
        sum(hits[: sum(hits)]) / sum(hits),
    ]


def test_two_matches_at_ranks_one_and_three_by_hand() -> None:
    # junk in between has no rank; the wrong image at the distance of the second match ranks before it
    scores = _score([0.1, 0.2, 0.5, 0.5, 0.9], [1, -1, 1, 2, 2])
    assert scores == pytest.approx([(1 + 2 / 3) / 2, (1 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3, 1, 1 / 2, 1 / 2])


@pytest.mark.parametrize("digits", [1, 8])
@pytest.mark.parametrize("num_matches", [1, MAX_COUNTED - 1, MAX_COUNTED, MAX_COUNTED + 1, 200])
def test_few_and_many_matches_are_counted_in_two_ways_and_agree_with_the_definition(
    num_matches: int, digits: int
) -> None:
    rng = np.random.default_rng(num_matches)
    row = rng.random(400).round(digits).tolist()
    shown = np.where(np.arange(400) < num_matches, 1, rng.choice([-1, 2], 400))
    shown = rng.permutation(shown).tolist()
    camids = rng.integers(0, 9, 400).tolist()
    entries = [
        (distance, pid == 1)
        for distance, pid, camid in zip(row, shown, camids, strict=True)
        if pid == 2 or (pid == 1 and camid != 4)
    ]
    expected = _slow([is_match for _, is_match in sorted(entries)])
    assert _score(row, shown, cameras=(4, camids)) == pytest.approx(expected)


def test_rows_without_a_match_stay_and_rows_with_nan_are_marked() -> None:
    assert _score([0.1, 0.2], [1, 1], own=2) == NOT_FOUND
    assert _score([0.1, 0.2], [1, 2], cameras=(3, [3, 0])) == NOT_FOUND  # the only match is in the own camera
    assert _score([0.1, 0.2], [1, 2], cameras=(-1, [-1, 0]))[FIRST_MATCH] == 1
    assert _score([0.1, np.nan], [1, -1])[FIRST_MATCH] == -1
