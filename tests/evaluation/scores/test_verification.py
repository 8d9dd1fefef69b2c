from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest
from sklearn.metrics import auc, roc_curve

from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.evaluation.scores import verification
from reid_gl.evaluation.scores.pair_counting import bin_numbers
from reid_gl.evaluation.scores.verification import VerificationResult, verify_pairs
from reid_gl.records import Features
from reid_gl.similarity import METRICS
from tests.reference.slow_verification import (
    slow_equal_error_rate,
    slow_operating_point,
    slow_pairs,
    slow_rates,
)

RATES = (0.01, 0.05, 0.2, 0.6)


def _line(places: Any, pids: Any, camids: Any = None) -> Features:
    """Images on a line: their Euclidean distance is easily seen."""
    cameras = np.full(len(pids), -1) if camids is None else np.array(camids)
    return Features(np.array(places, dtype=np.float32)[:, None], np.array(pids), cameras)


def _random(seed: int, num: int) -> Features:
    """Junk, distractors, unknown cameras; small whole numbers, so that many distances are equal."""
    rng = np.random.default_rng(seed)
    pids = rng.integers(-1, 6, num)
    rows = rng.integers(-2, 3, (num, 3)) + (pids[:, None] == np.arange(1, 4)) * (1 + seed % 3)
    if seed % 2:
        rows = rows + rng.normal(size=rows.shape)
    rows[0] += 1  # never all zero
    return Features(rows.astype(np.float32), pids, rng.integers(-1, 2, num))


def _pairs(
    query: Features, gallery: Features, *, metric: str = "euclidean", use_cameras: bool = True
) -> tuple[list[float], list[float]]:
    distances = np.concatenate(
        [block.copy() for block in distance_blocks(query.embeddings, gallery.embeddings, metric=metric)]
    )
    sides = [(side.pids.tolist(), side.camids.tolist()) for side in (query, gallery)]
    return slow_pairs(distances.tolist(), *sides, use_cameras=use_cameras)


def _same(first: VerificationResult, second: VerificationResult) -> bool:
    return all(np.array_equal(value, vars(second)[name]) for name, value in vars(first).items())


def test_six_pairs_by_hand() -> None:
    # same person at 1 and 4; others at 2, 2, 3, 9
    gallery = _line([1, 4, 2, -2, 3, 9], [1, 1, 2, 2, 3, 3])
    result = verify_pairs(_line([0], [1]), gallery, metric="euclidean", false_positive_rates=(0.25, 0.5, 0.8))
    assert (result.num_positive, result.num_negative) == (2, 4)
    none, two, three = result.points
    assert (none.threshold, none.false_positive_rate, none.true_positive_rate) == (
        1,
        0,
        0.5,
    )  # not half a tie
    assert (two.threshold, two.false_positive_rate, two.true_positive_rate) == (2, 0.5, 0.5)
    assert (three.threshold, three.false_positive_rate, three.true_positive_rate) == (4, 0.75, 1)
    assert result.equal_error_rate == 0.5
    assert result.false_positive_rate.tolist() == [0, 0, 0.5, 0.75, 1]
    assert result.true_positive_rate.tolist() == [0, 0.5, 0.5, 1, 1]


def test_what_is_left_out_by_hand() -> None:
    # own camera, junk, distractor, another person in the own camera, the same in an unknown camera
    query = _line([0, 50], [5, -1], [0, 0])
    gallery = _line([1, 2, 3, 4, 5], [5, -1, 0, 6, 5], [0, 1, 1, 0, -1])
    result = verify_pairs(query, gallery, metric="euclidean", false_positive_rates=(0.5,))
    assert (result.num_positive, result.num_negative) == (1, 2)
    assert result.points[0].threshold == 3
    without = verify_pairs(query, gallery, metric="euclidean", false_positive_rates=(0.5,), use_cameras=False)
    assert (without.num_positive, without.num_negative) == (2, 2)
    assert without.points[0].true_positive_rate == 0.5


@pytest.mark.parametrize("metric", METRICS)
def test_agrees_with_the_definitions(metric: str) -> None:
    for seed in range(8):
        query, gallery = _random(seed, 9), _random(seed + 100, 30)
        use_cameras = seed % 4 > 0
        same, different = _pairs(query, gallery, metric=metric, use_cameras=use_cameras)
        result = verify_pairs(
            query, gallery, metric=metric, use_cameras=use_cameras, false_positive_rates=RATES
        )
        assert (result.num_positive, result.num_negative) == (len(same), len(different))
        for asked, point in zip(RATES, result.points, strict=True):
            expected = slow_operating_point(same, different, asked)
            assert (point.threshold, point.false_positive_rate, point.true_positive_rate) == expected
            assert point.false_positive_rate <= point.asked_rate == asked
        for place, threshold in enumerate(result.thresholds.tolist()):
            rates = result.false_positive_rate[place], result.true_positive_rate[place]
            assert rates == slow_rates(same, different, threshold)
        assert result.equal_error_rate == pytest.approx(slow_equal_error_rate(same, different), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_agrees_with_scikit_learn(metric: str) -> None:
    for seed in range(10):
        query, gallery = _random(seed, 12), _random(seed + 100, 60)
        same, different = _pairs(query, gallery, metric=metric)
        flags = [1] * len(same) + [0] * len(different)
        peer = roc_curve(flags, -np.array(same + different), drop_intermediate=False)
        result = verify_pairs(query, gallery, metric=metric, false_positive_rates=RATES)
        for point in result.points:
            place = np.flatnonzero(peer[0] <= point.asked_rate)[-1]
            assert (point.false_positive_rate, point.true_positive_rate) == (peer[0][place], peer[1][place])
            assert point.threshold == -peer[2][place]
        places = [np.flatnonzero(-peer[2] <= threshold)[-1] for threshold in result.thresholds]
        assert np.array_equal(result.false_positive_rate, peer[0][places])
        assert np.array_equal(result.true_positive_rate, peer[1][places])
        gaps = np.linspace(0, 1, 100_001)
        crossing = gaps[np.argmin(np.abs(1 - gaps - np.interp(gaps, *peer[:2])))]
        assert result.equal_error_rate == pytest.approx(crossing, abs=2e-5)


def _people(seed: int, num: int) -> Features:
    rng = np.random.default_rng(seed)
    pids = rng.integers(0, 30, num)
    centres = np.random.default_rng(99).normal(size=(30, 8))
    rows = (centres[pids] + 0.8 * rng.normal(size=(num, 8))).astype(np.float32)
    return Features(rows, pids, rng.integers(0, 3, num))


@pytest.mark.parametrize("metric", METRICS)
def test_many_pairs_in_blocks_agree_with_scikit_learn(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = _people(0, 300), _people(1, 700)
    same, different = _pairs(query, gallery, metric=metric)
    flags = np.repeat([1, 0], [len(same), len(different)])
    peer = roc_curve(flags, -np.array(same + different), drop_intermediate=False)
    whole = verify_pairs(query, gallery, metric=metric)
    monkeypatch.setattr("reid_gl.evaluation.blocks.FEW_ROWS", 7)
    monkeypatch.setattr("reid_gl.evaluation.blocks.BLOCK_CELLS", 1)
    result = verify_pairs(query, gallery, metric=metric)
    if metric == "euclidean":  # products of other shapes round otherwise
        assert _same(result, whole)
    for point in whole.points:
        place = np.flatnonzero(peer[0] <= point.asked_rate)[-1]
        assert (point.false_positive_rate, point.true_positive_rate) == (peer[0][place], peer[1][place])
    assert [point.true_positive_rate for point in whole.points] == pytest.approx(
        [point.true_positive_rate for point in result.points], abs=2 / whole.num_positive
    )
    assert len(whole.thresholds) <= 2 * verification.NUM_CURVE_POINTS + 2
    area = auc(whole.false_positive_rate, whole.true_positive_rate)
    assert area == pytest.approx(auc(peer[0], peer[1]), abs=1e-4)
    gap = np.argmax(peer[0] >= 1 - peer[1])
    assert whole.equal_error_rate == pytest.approx(peer[0][gap], abs=1e-3)


def test_on_the_grid_the_equal_error_rate_is_off_by_less_than_a_bin() -> None:
    query, gallery = _people(0, 60), _people(1, 100)
    same, different = _pairs(query, gallery)
    low, high = (
        verify_pairs(query, gallery, metric="euclidean", false_positive_rates=(rate,)) for rate in (1e-3, 0.9)
    )
    assert high.equal_error_rate == pytest.approx(slow_equal_error_rate(same, different), abs=1e-12)
    numbers = [bin_numbers(np.array(distances, dtype=np.float32)) for distances in (same, different)]
    shares = [np.unique(number, return_counts=True)[1].max() / len(number) for number in numbers]
    assert low.equal_error_rate == pytest.approx(high.equal_error_rate, abs=max(shares))


def test_neither_order_nor_threads_nor_scale_change_the_rates() -> None:
    query, gallery = _people(3, 50), _people(4, 90)
    expected = verify_pairs(query, gallery, metric="euclidean", false_positive_rates=RATES)
    order = np.random.default_rng(0).permutation(90)
    permuted = Features(gallery.embeddings[order], gallery.pids[order], gallery.camids[order])
    scaled = [replace(side, embeddings=8 * side.embeddings) for side in (query, gallery)]
    larger = verify_pairs(*scaled, metric="euclidean", false_positive_rates=RATES)
    assert np.array_equal(larger.false_positive_rate, expected.false_positive_rate)
    assert np.array_equal(larger.true_positive_rate, expected.true_positive_rate)
    np.testing.assert_allclose(larger.thresholds, 8 * expected.thresholds)
    assert (
        verify_pairs(query, permuted, metric="euclidean", false_positive_rates=RATES).num_positive
        == expected.num_positive
    )
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert _same(verify_pairs(query, gallery, metric="euclidean", false_positive_rates=RATES), expected)
    finally:
        numba.set_num_threads(threads)


def test_people_apart_are_told_apart_without_error() -> None:
    query, gallery = _line([0, 100], [1, 2]), _line([1, 101, 0, 99], [1, 2, 1, 2])
    result = verify_pairs(query, gallery, metric="euclidean", false_positive_rates=(0.25,))
    assert result.equal_error_rate == 0
    assert result.points[0].true_positive_rate == 1
    assert result.true_positive_rate[result.false_positive_rate == 0][-1] == 1


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_feature_everywhere_accepts_nothing_or_everything(metric: str) -> None:
    rows = np.ones((60, 4), dtype=np.float32)
    side = Features(rows, np.arange(60) % 10, np.arange(60) % 7)
    result = verify_pairs(side, side, metric=metric, false_positive_rates=(0.1, 0.9))
    for point in result.points:
        assert (point.threshold, point.false_positive_rate, point.true_positive_rate) == (-math.inf, 0, 0)
    assert result.equal_error_rate == 0.5
    assert result.false_positive_rate.tolist() == result.true_positive_rate.tolist() == [0, 1]


def test_a_rate_that_too_few_pairs_cannot_show_is_nan_and_says_why() -> None:
    gallery = _line(range(50), [1, *range(2, 51)])
    result = verify_pairs(
        _line([0], [1]), gallery, metric="euclidean", false_positive_rates=(1e-3, 1 / 49, 0.0203)
    )
    small, least, less = result.points
    assert math.isnan(small.true_positive_rate)
    assert math.isnan(small.threshold)
    assert small.reason == "49 pairs of two identities cannot show a rate of 0.001"
    assert (least.threshold, least.false_positive_rate, least.reason) == (1, 1 / 49, "")
    assert less.reason == "49 pairs of two identities cannot show a rate of 0.0203"


def test_inputs_stay() -> None:
    query, gallery = _random(1, 9), _random(2, 30)
    copies = [side.embeddings.copy() for side in (query, gallery)]
    verify_pairs(query, gallery, false_positive_rates=RATES)
    assert np.array_equal(query.embeddings, copies[0])
    assert np.array_equal(gallery.embeddings, copies[1])


def test_errors() -> None:
    query, gallery = _line([0, 1], [1, 2]), _line([1, 2, 3], [1, 2, 3])
    for rates in ((), (0.0,), (0.1, 1.0), (math.nan,)):
        with pytest.raises(ValueError, match=r"expected false positive rates between 0 and 1, got \("):
            verify_pairs(query, gallery, false_positive_rates=rates)
    with pytest.raises(ValueError, match="unknown metric 'dot': expected one of cosine, euclidean"):
        verify_pairs(query, gallery, metric="dot")
    with pytest.raises(ValueError, match=r"gallery_pids must have shape \(3,\), got \(2,\)"):
        verify_pairs(query, replace(gallery, pids=gallery.pids[:2]))
    broken = replace(gallery, embeddings=np.array([[1], [np.nan], [3]], dtype=np.float32))
    with pytest.raises(
        ValueError, match=r"gallery features are NaN, infinite or beyond 1e\+17 in 1 of 3 rows: 1"
    ):
        verify_pairs(query, broken)
    with pytest.raises(ValueError, match="no pair of one identity is left: with one camera only"):
        verify_pairs(query, _line([1], [3]))
    with pytest.raises(ValueError, match="no pair of one identity is left"):
        verify_pairs(_line([0, 1], [1, 2], [0, 0]), _line([1, 2], [1, 2], [0, 0]))
    for few in (_line([1], [1]), _line([1], [-1])):
        with pytest.raises(ValueError, match="no pair of two identities is left: expected"):
            verify_pairs(_line([0], [1]), few)
