from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.sampling import HAS_NAN, SCORED, UNMATCHED, sample_rows
from tests.reference.slow_single_shot import slow_expected_cmc, slow_groups

Outputs = tuple[np.ndarray, np.ndarray, np.ndarray]


def _sample(
    rows: np.ndarray,
    shown: np.ndarray,
    *,
    cameras: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    num_repeats: int = 50,
    max_rank: int = 5,
) -> Outputs:
    """Queries of identity 1 in a gallery of identities 1, 2, ... and junk (-1)."""
    num = len(rows)
    pids = np.unique(shown[shown > 0])
    people = np.where(shown == -1, -2, np.searchsorted(pids, shown))
    groups = np.full(num, 0 if 1 in shown else -1)
    keys = np.random.default_rng(seed).integers(2**64, size=num, dtype=np.uint64)
    expected, drawn = np.zeros((num, max_rank)), np.zeros((num, max_rank + 1), dtype=np.int64)
    states = np.empty(num, dtype=np.int8)
    camids = cameras or (np.full(num, -1), np.zeros(len(shown), dtype=np.int64))
    sample_rows(rows, people, pids, groups, *camids, keys, num_repeats, expected, drawn, states)
    return expected, drawn, states


def test_chances_are_those_of_all_draws_and_every_repeat_is_counted_once() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows = rng.random((4, 9)).round(1)
        shown = np.append([1, 2, 3], rng.choice([-1, 1, 2, 3, 4], 6))
        cameras = rng.integers(-1, 2, 4), rng.integers(0, 2, 9)
        expected, drawn, states = _sample(rows, shown, cameras=cameras)
        for row, camid in enumerate(cameras[0].tolist()):
            groups = slow_groups(rows[row].tolist(), 1, camid, shown.tolist(), cameras[1].tolist())
            assert states[row] == (SCORED if groups else UNMATCHED)
            slow = (
                [float(chance) for chance in slow_expected_cmc(groups, max_rank=5)] if groups else [0.0] * 5
            )
            assert expected[row].tolist() == pytest.approx(slow, abs=1e-14)
            assert drawn[row].sum() == (50 if groups else 0)


def test_one_image_of_each_person_leaves_nothing_to_chance() -> None:
    # the match lies behind persons 3 and 4, and 4 is as near as the match
    expected, drawn, _ = _sample(np.array([[0.5, 0.9, 0.1, 0.5]]), np.array([1, 2, 3, 4]), num_repeats=7)
    assert expected.tolist() == [[0, 0, 1, 1, 1]]
    assert drawn.tolist() == [[0, 0, 7, 0, 0, 0]]


def test_ranks_beyond_the_last_share_a_column() -> None:
    rows = np.append([[9.0]], np.arange(8.0)[None], axis=1)
    expected, drawn, _ = _sample(rows, np.arange(1, 10), num_repeats=3, max_rank=5)
    assert expected.tolist() == [[0] * 5]
    assert drawn.tolist() == [[0, 0, 0, 0, 0, 3]]


def test_the_key_alone_decides_what_is_drawn() -> None:
    rows, shown = np.tile(np.random.default_rng(0).random(30), (6, 1)), np.arange(30) % 5 + 1
    first, again, other = (_sample(rows, shown, seed=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len({tuple(row) for row in first.tolist()}) > 1  # each query has a key of its own


def test_broken_and_hopeless_rows_are_marked() -> None:
    rows = np.array([[0.1, np.nan], [0.1, 0.2]])
    assert _sample(rows, np.array([1, -1]))[2].tolist() == [HAS_NAN, SCORED]
    assert _sample(rows, np.array([2, -1]))[2].tolist() == [HAS_NAN, UNMATCHED]
