from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from reid_gl.evaluation import evaluate_ranking
from reid_gl.evaluation.scores.single_shot import SingleShotResult, evaluate_single_shot
from tests.reference.slow_single_shot import Image, slow_draws, slow_expected_cmc, slow_groups


class Case(NamedTuple):
    distances: np.ndarray
    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_camids: np.ndarray | None
    gallery_camids: np.ndarray | None


def _case(
    seed: int, *, num_queries: int = 5, num_gallery: int = 10, num_pids: int = 4, digits: int = 1
) -> Case:
    """Ties where digits are few, junk, distractors, queries without a match."""
    rng = np.random.default_rng(seed)
    return Case(
        rng.random((num_queries, num_gallery)).round(digits),
        rng.integers(1, num_pids + 1, num_queries),
        rng.integers(-1, num_pids, num_gallery),
        rng.integers(-1, 2, num_queries),
        rng.integers(-1, 2, num_gallery),
    )


def _groups(case: Case) -> list[list[list[Image]]]:
    """What the slow version draws from, query by query; only those with a match."""
    rows = zip(case.distances.tolist(), case.query_pids.tolist(), case.query_camids.tolist(), strict=True)
    side = case.gallery_pids.tolist(), case.gallery_camids.tolist()
    groups = [slow_groups(*row, *side) for row in rows]
    return [of_query for of_query in groups if of_query]


def _same(first: SingleShotResult, second: SingleShotResult) -> bool:
    return all(np.array_equal(value, vars(second)[name]) for name, value in vars(first).items())


def test_chances_by_hand() -> None:
    # the query's person at 2 and 5; person 2 at 1, 3 and 9; person 3 at 4
    case = Case(
        np.array([[2.0, 5.0, 1.0, 3.0, 9.0, 4.0]]), np.array([1]), np.array([1, 1, 2, 2, 2, 3]), None, None
    )
    result = evaluate_single_shot(*case, max_rank=4, num_repeats=20_000)
    # match at 2: first unless person 2 shows the image at 1; match at 5: person 3 is always before it
    first = Fraction(1, 2) * Fraction(2, 3)
    second = Fraction(1, 2) + Fraction(1, 2) * Fraction(1, 3)
    assert result.expected_cmc.tolist() == pytest.approx([float(first), float(second), 1, 1], abs=1e-15)
    assert result.standard_error[0] == pytest.approx(float(first * (1 - first) / 20_000) ** 0.5)
    assert result.standard_error[2:].tolist() == [0, 0]
    assert (np.abs(result.cmc - result.expected_cmc) <= 3 * result.standard_error).all()


def test_what_the_protocol_leaves_out_by_hand() -> None:
    # in order of distance: own camera, junk, distractor, other person in the own camera, match
    gallery = np.array([5, -1, 0, 6, 5]), np.array([0, 1, 1, 0, 1])
    case = Case(np.arange(5.0)[None], np.array([5]), gallery[0], np.array([0]), gallery[1])
    assert evaluate_single_shot(*case, max_rank=4).cmc.tolist() == [0, 0, 1, 1]
    # without cameras the person's nearest image may be drawn, or the last one
    assert evaluate_single_shot(*case[:3], max_rank=4).expected_cmc.tolist() == [0.5, 0.5, 1, 1]


def test_equal_distances_put_the_wrong_image_first() -> None:
    result = evaluate_single_shot(np.full((1, 4), 0.5), np.array([3]), np.array([3, 4, 5, 6]), max_rank=5)
    assert result.cmc.tolist() == result.expected_cmc.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("seed", range(8))
def test_expectation_and_error_agree_with_all_draws_enumerated(seed: int) -> None:
    case = _case(seed)
    groups = _groups(case)
    if not groups:
        with pytest.raises(ValueError, match="none of the 5 queries has a match"):
            evaluate_single_shot(*case)
        return
    slow = np.array([slow_expected_cmc(of_query, max_rank=6) for of_query in groups])
    result = evaluate_single_shot(*case, max_rank=6, num_repeats=7)
    assert (result.num_queries, result.num_scored) == (5, len(groups))
    np.testing.assert_allclose(result.expected_cmc, slow.mean(axis=0).astype(float), atol=1e-14)
    variance = (slow * (1 - slow)).sum(axis=0).astype(float) / 7 / len(groups) ** 2
    np.testing.assert_allclose(result.standard_error**2, variance, atol=1e-14)


@pytest.mark.parametrize("max_rank", [1, 2, 5, 40])
def test_chances_cut_off_at_max_rank_are_those_of_a_longer_curve(max_rank: int) -> None:
    case = _case(3, num_queries=20, num_gallery=200, num_pids=30, digits=8)
    long = evaluate_single_shot(*case, max_rank=60)
    short = evaluate_single_shot(*case, max_rank=max_rank)
    assert np.array_equal(short.cmc, long.cmc[:max_rank])
    np.testing.assert_allclose(short.expected_cmc, long.expected_cmc[:max_rank], rtol=1e-13)
    np.testing.assert_allclose(short.standard_error, long.standard_error[:max_rank], rtol=1e-13)
    assert 0 < long.expected_cmc[0] < long.expected_cmc[20] < long.expected_cmc[40] == 1


def test_slow_draws_lie_within_three_standard_errors() -> None:
    for seed in range(3):
        case, num_repeats = _case(seed, num_gallery=20, num_pids=6), 300
        generator = random.Random(seed)
        ranks = np.array(
            [
                list(itertools.islice(slow_draws(of_query, generator), num_repeats))
                for of_query in _groups(case)
            ]
        )
        slow = np.array([(ranks <= k).mean() for k in range(1, 8)])
        result = evaluate_single_shot(*case, max_rank=7, num_repeats=num_repeats)
        assert (np.abs(slow - result.expected_cmc) <= 3 * result.standard_error + 1e-12).all()


def test_draws_scatter_as_the_standard_error_says() -> None:
    case = _case(0, num_queries=40, num_gallery=120, num_pids=12, digits=8)
    results = [evaluate_single_shot(*case, seed=seed, num_repeats=3, max_rank=8) for seed in range(400)]
    errors = np.array([result.cmc - result.expected_cmc for result in results])
    expected = results[0].standard_error
    assert (np.abs(errors.mean(axis=0)) <= 4 * expected / 400**0.5).all()
    np.testing.assert_allclose(errors.std(axis=0), expected, rtol=4 / 800**0.5)


@pytest.fixture(scope="module")
def torchreid_rank() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchreid complains that its Cython part is missing
        return pytest.importorskip("torchreid.reid.metrics.rank")


@pytest.fixture
def eval_cuhk03(torchreid_rank: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """It draws from numpy's global state, which is left alone here."""
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("it uses np.bool, which numpy 1.24 to 1.26 do not have")
    monkeypatch.setattr(np.random, "choice", np.random.default_rng(0).choice)
    return torchreid_rank.eval_cuhk03  # type: ignore[no-any-return]


def _peer_case(seed: int, gallery_pids: np.ndarray) -> Case:
    """No junk, no tie, every camera known: what torchreid defines."""
    rng = np.random.default_rng(seed)
    num_gallery = len(gallery_pids)
    return Case(
        rng.permutation(30 * num_gallery).reshape(30, -1) / num_gallery,
        rng.integers(0, 28, 30),
        rng.permutation(gallery_pids),
        rng.integers(0, 3, 30),
        rng.integers(0, 3, num_gallery),
    )


@pytest.mark.parametrize("max_rank", [5, 20, 50])
def test_one_image_per_identity_agrees_with_torchreid_exactly(
    max_rank: int, eval_cuhk03: Callable[..., Any]
) -> None:
    for seed in range(10):
        case = _peer_case(seed, np.arange(26))
        cmc, mean_ap = eval_cuhk03(*case, max_rank)
        result = evaluate_single_shot(*case, max_rank=max_rank)
        assert len(cmc) == min(max_rank, 26)  # theirs ends with the gallery
        assert np.array_equal(result.cmc[: len(cmc)].astype(np.float32), cmc)
        assert (result.cmc[len(cmc) :] == 1).all()
        assert np.array_equal(result.expected_cmc, result.cmc)
        assert (result.standard_error == 0).all()
        assert mean_ap == pytest.approx(
            evaluate_ranking(*case).mean_ap
        )  # theirs is that of the whole gallery


def test_lies_with_torchreid_within_three_standard_errors(eval_cuhk03: Callable[..., Any]) -> None:
    for seed in range(5):
        case = _peer_case(seed, np.arange(130) % 26)
        cmc, mean_ap = eval_cuhk03(*case, 50)
        result = evaluate_single_shot(*case)
        places = np.array([1, 5, 10]) - 1
        margin = 3 * result.standard_error[places]
        assert (margin > 0).all()
        assert (np.abs(cmc - result.expected_cmc[: len(cmc)])[places] <= margin).all()
        assert (np.abs(result.cmc - result.expected_cmc)[places] <= margin).all()
        assert len(cmc) == 26  # one image of each person
        assert mean_ap == pytest.approx(evaluate_ranking(*case).mean_ap)


def test_neither_the_gallery_order_nor_threads_nor_scale_change_anything() -> None:
    for seed in range(10):
        case = _case(seed, num_gallery=40, num_pids=9)
        expected = evaluate_single_shot(*case, seed=seed)
        order = np.random.default_rng(seed).permutation(40)
        permuted = evaluate_single_shot(
            3.0 * case.distances[:, order],
            case.query_pids,
            case.gallery_pids[order],
            case.query_camids,
            case.gallery_camids[order],
            seed=seed,
        )
        assert _same(permuted, expected)
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            assert _same(evaluate_single_shot(*case, seed=seed), expected)
        finally:
            numba.set_num_threads(threads)


def test_the_seed_changes_the_draws_and_nothing_else() -> None:
    case = _case(0, num_queries=30, num_gallery=60, num_pids=9, digits=8)
    copies = [part.copy() for part in case]
    first, again, other = (evaluate_single_shot(*case, seed=seed) for seed in (1, 1, 2))
    assert _same(first, again)
    assert not np.array_equal(first.cmc, other.cmc)
    assert np.array_equal(first.expected_cmc, other.expected_cmc)
    assert all(np.array_equal(part, copy) for part, copy in zip(case, copies, strict=True))


def test_a_further_identity_leaves_the_draws_of_the_others_as_they_are() -> None:
    case = _case(0, num_queries=30, num_gallery=60, num_pids=9, digits=8)
    column = np.full((30, 1), 9.0)  # further away than everybody
    more = Case(
        np.hstack([column, case.distances]),
        case.query_pids,
        np.append(-7, case.gallery_pids),
        case.query_camids,
        np.append(0, case.gallery_camids),
    )
    assert _same(evaluate_single_shot(*more, max_rank=8), evaluate_single_shot(*case, max_rank=8))


def test_curves_rise_and_lie_between_zero_and_one() -> None:
    result = evaluate_single_shot(*_case(5, num_queries=30, num_gallery=300, num_pids=60))
    for curve in (result.cmc, result.expected_cmc):
        assert (np.diff(curve) >= 0).all()
        assert 0 <= curve[0] <= curve[-1] <= 1


@pytest.mark.parametrize("make", [np.asfortranarray, lambda matrix: matrix.astype(np.float32)])
def test_other_layouts_and_numbers_score_alike(make: Callable[[np.ndarray], np.ndarray]) -> None:
    case = _case(2, num_gallery=40)
    whole = case._replace(distances=(10 * case.distances).round())
    expected = evaluate_single_shot(*whole)
    assert _same(evaluate_single_shot(*whole._replace(distances=make(whole.distances))), expected)
    assert _same(evaluate_single_shot(*whole._replace(distances=whole.distances.astype(int))), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distances": np.zeros(3)}, r"distances must be numbers \(Q, G\), got float64 \(3,\)"),
        ({"distances": np.zeros((2, 3))}, r"query_pids must have shape \(2,\), got \(1,\)"),
        ({"gallery_pids": np.ones(4)}, r"gallery_pids must have shape \(3,\), got \(4,\)"),
        ({"query_camids": np.zeros(1)}, "give query_camids and gallery_camids, or neither"),
        (
            {"distances": np.array([[0.0, np.nan, 1.0]])},
            r"a distance is not a number \(NaN\): check the feat",
        ),
        ({"query_pids": np.array([9])}, "none of the 1 queries has a match in the gallery"),
        ({"num_repeats": 0}, "num_repeats must be at least 1, got 0"),
        ({"max_rank": 0}, "max_rank must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    case = {"distances": np.zeros((1, 3)), "query_pids": np.ones(1), "gallery_pids": np.array([1, 2, -1])}
    with pytest.raises(ValueError, match=message):
        evaluate_single_shot(**{**case, **changes})


@pytest.mark.parametrize("gallery_pids", [np.array([-1, -1]), np.array([], dtype=np.int64)])
def test_a_gallery_of_nothing_has_no_match(gallery_pids: np.ndarray) -> None:
    with pytest.raises(ValueError, match="none of the 2 queries has a match"):
        evaluate_single_shot(np.zeros((2, len(gallery_pids))), np.array([1, -1]), gallery_pids)
