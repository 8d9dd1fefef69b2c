from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.evaluation import (
    GnnRerankSettings,
    RerankSettings,
    blocks,
    evaluate_features,
    evaluate_ranking,
    gnn_rerank,
    k_reciprocal_rerank,
)
from reid_gl.records import Features, RankingResult
from reid_gl.similarity import METRICS
from tests.reference.slow_ranking import slow_ranking
from tests.reference.slow_similarity import slow_cosine_distance, slow_euclidean_distance


class Case(NamedTuple):
    distances: np.ndarray
    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_camids: np.ndarray | None
    gallery_camids: np.ndarray | None


def _random_case(seed: int) -> Case:
    """Ties, junk, distractors, unknown cameras and queries without a match, in various shares."""
    rng = np.random.default_rng(seed)
    num_queries, num_gallery, num_pids = rng.integers(1, 8), rng.integers(1, 25), rng.integers(1, 6)
    distances = rng.random((num_queries, num_gallery)).round(int(rng.choice([1, 2, 8])))
    pids = rng.integers(1, num_pids + 2, num_queries), rng.integers(-1, num_pids + 1, num_gallery)
    if seed % 5 == 0:
        return Case(distances, *pids, None, None)
    lowest = -1 if seed % 3 == 0 else 0
    return Case(distances, *pids, rng.integers(lowest, 3, num_queries), rng.integers(lowest, 3, num_gallery))


def _hits(*flags: int, distances: list[float] | None = None) -> Case:
    """One query of identity 1; the flags say which gallery images, in order of distance, show it."""
    row = distances or list(range(len(flags)))
    return Case(
        np.array([row], float), np.array([1]), np.array([1 if hit else 2 for hit in flags]), None, None
    )


def _permute_gallery(case: Case, seed: int) -> Case:
    order = np.random.default_rng(seed).permutation(case.distances.shape[1])
    cameras = None if case.gallery_camids is None else case.gallery_camids[order]
    return case._replace(
        distances=case.distances[:, order], gallery_pids=case.gallery_pids[order], gallery_camids=cameras
    )


def _same(first: RankingResult, second: RankingResult) -> bool:
    return all(
        np.array_equal(value, vars(second)[name], equal_nan=True) for name, value in vars(first).items()
    )


def test_three_matches_by_hand() -> None:
    result = evaluate_ranking(*_hits(1, 0, 1, 0, 0, 1), max_rank=4)
    assert result.mean_ap == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert result.mean_ap_trapezoid == pytest.approx((1 + (1 / 2 + 2 / 3) / 2 + (2 / 5 + 3 / 6) / 2) / 3)
    assert result.mean_inp == pytest.approx(3 / 6)
    assert result.cmc.tolist() == [1, 1, 1, 1]
    assert result.first_match.tolist() == [1]


def test_a_first_match_at_rank_three_by_hand() -> None:
    result = evaluate_ranking(*_hits(0, 0, 1), max_rank=5)
    assert result.mean_ap == pytest.approx(1 / 3)
    assert result.mean_ap_trapezoid == pytest.approx((0 / 2 + 1 / 3) / 2)
    assert result.cmc.tolist() == [0, 0, 1, 1, 1]
    assert result.rank(3) == 1
    assert result.rank(1) == 0


def test_what_the_protocol_leaves_out_by_hand() -> None:
    # in order of distance: own camera, junk, distractor, match, other person in the own camera, match
    gallery_pids, gallery_camids = np.array([5, -1, 0, 5, 6, 5]), np.array([0, 1, 1, 1, 0, 2])
    case = Case(np.arange(6.0)[None], np.array([5]), gallery_pids, np.array([0]), gallery_camids)
    result = evaluate_ranking(*case)
    assert result.average_precision.tolist() == pytest.approx([(1 / 2 + 2 / 4) / 2])
    assert result.num_gallery == 5
    without_cameras = evaluate_ranking(*case[:3])
    assert without_cameras.mean_ap == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_queries_without_a_match_are_counted_and_not_scored() -> None:
    distances = np.array([[0.1, 0.2], [0.1, 0.2], [0.2, 0.1]])
    result = evaluate_ranking(distances, np.array([7, 9, 7]), np.array([7, 8]))
    assert (result.num_queries, result.num_scored) == (3, 2)
    assert result.rank(1) == 0.5
    assert result.mean_ap == pytest.approx((1 + 1 / 2) / 2)
    assert result.first_match.tolist() == [1, 0, 2]
    assert np.isnan(result.average_precision).tolist() == [False, True, False]


@pytest.mark.parametrize("seed", range(50))
def test_agrees_with_the_definition_whatever_the_gallery_order(seed: int) -> None:
    case = _random_case(seed)
    try:
        slow = slow_ranking(*(None if part is None else part.tolist() for part in case), max_rank=7)
    except ZeroDivisionError:  # no query has a match
        with pytest.raises(ValueError, match="queries has a match among the"):
            evaluate_ranking(*case)
        return
    result = evaluate_ranking(*case, max_rank=7)
    assert result.cmc.tolist() == pytest.approx(slow.cmc)
    assert result.mean_ap == pytest.approx(slow.mean_ap)
    assert result.mean_ap_trapezoid == pytest.approx(slow.mean_ap_trapezoid)
    assert result.mean_inp == pytest.approx(slow.mean_inp)
    assert (result.num_scored, result.num_gallery) == (slow.num_scored, slow.num_gallery)
    assert _same(evaluate_ranking(*_permute_gallery(case, seed), max_rank=7), result)


@pytest.fixture(scope="module")
def torchreid_evaluate_rank() -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchreid complains that its Cython part is missing
        return pytest.importorskip("torchreid.reid.metrics.rank").evaluate_rank


def test_agrees_with_torchreid_where_nothing_ties(torchreid_evaluate_rank: Callable[..., Any]) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        case = Case(
            rng.permutation(9 * 60).reshape(9, 60) / 540,
            rng.integers(1, 8, 9),
            rng.integers(0, 6, 60),
            rng.integers(0, 3, 9),
            rng.integers(0, 3, 60),
        )
        cmc, mean_ap = torchreid_evaluate_rank(*case, max_rank=20, use_cython=False)
        result = evaluate_ranking(*case, max_rank=20)
        assert result.cmc.tolist() == pytest.approx(cmc.tolist(), abs=1e-6)  # theirs is float32
        assert result.mean_ap == pytest.approx(mean_ap)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), distance=st.floats(-1, 2))
def test_a_distractor_never_helps(seed: int, distance: float) -> None:
    case = _random_case(5 * seed)  # without cameras
    if not set(case.query_pids) & set(case.gallery_pids):
        return
    column = np.full((len(case.distances), 1), distance)
    more = case._replace(
        distances=np.hstack([case.distances, column]), gallery_pids=np.append(case.gallery_pids, 0)
    )
    before, after = evaluate_ranking(*case), evaluate_ranking(*more)
    assert after.mean_ap <= before.mean_ap
    assert after.mean_ap_trapezoid <= before.mean_ap_trapezoid
    assert after.mean_inp <= before.mean_inp
    assert (after.cmc <= before.cmc).all()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 2.0, 1e6]),
    shift=st.sampled_from([-4.0, 0.0, 8.0]),
)
def test_only_the_order_of_distances_counts(seed: int, scale: float, shift: float) -> None:
    case = _random_case(5 * seed)
    if not set(case.query_pids) & set(case.gallery_pids):
        return
    ranks = np.searchsorted(np.unique(case.distances), case.distances)  # the same ties, whole numbers
    result = evaluate_ranking(*case._replace(distances=ranks))
    assert _same(evaluate_ranking(*case._replace(distances=ranks * scale + shift)), result)
    assert _same(evaluate_ranking(*case), result)


def test_scores_lie_between_zero_and_one_and_the_curve_rises() -> None:
    result = evaluate_ranking(*_random_case(11), max_rank=30)
    assert (np.diff(result.cmc) >= 0).all()
    for value in (result.mean_ap, result.mean_ap_trapezoid, result.mean_inp, *result.cmc):
        assert 0 <= value <= 1


def test_a_perfect_ranking_scores_one() -> None:
    result = evaluate_ranking(*_hits(1, 1, 1, 0, 0), max_rank=3)
    assert (result.mean_ap, result.mean_ap_trapezoid, result.mean_inp, result.rank(1)) == (1, 1, 1, 1)


def test_equal_distances_put_every_wrong_image_first() -> None:
    """A network that gives every image the same feature must not look good."""
    num_wrong, num_right = 90, 10
    flags = [1] * num_right + [0] * num_wrong
    result = evaluate_ranking(*_hits(*flags, distances=[0.5] * 100), max_rank=100)
    assert result.first_match.tolist() == [num_wrong + 1]
    assert result.mean_inp == pytest.approx(0.1)
    assert result.mean_ap == pytest.approx(np.mean([k / (num_wrong + k) for k in range(1, num_right + 1)]))


def test_the_curve_stays_flat_beyond_the_gallery() -> None:
    assert evaluate_ranking(*_hits(0, 1), max_rank=5).cmc.tolist() == [0, 1, 1, 1, 1]


def test_the_inputs_are_not_changed() -> None:
    case = _random_case(1)
    copies = [np.copy(part) for part in case]
    evaluate_ranking(*case)
    assert all(np.array_equal(part, copy) for part, copy in zip(case, copies, strict=True))


def test_infinite_distances_come_last() -> None:
    assert evaluate_ranking(*_hits(1, 0, distances=[math.inf, 1.0])).first_match.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distances": np.zeros(3)}, r"distances must be numbers \(Q, G\), got float64 \(3,\)"),
        ({"distances": np.zeros((2, 3))}, r"query_pids must have shape \(2,\), got \(1,\)"),
        ({"gallery_pids": np.ones(4)}, r"gallery_pids must have shape \(3,\), got \(4,\)"),
        ({"query_camids": np.zeros(1)}, "give query_camids and gallery_camids, or neither"),
        (
            {"query_camids": np.zeros(1), "gallery_camids": np.zeros((3, 1))},
            r"gallery_camids must have shape \(3,\), got \(3, 1\)",
        ),
        (
            {"distances": np.array([[0.0, np.nan, 1.0]])},
            r"a distance is not a number \(NaN\): check the feat",
        ),
        ({"query_pids": np.array([9])}, "none of the 1 queries has a match among the 3 gallery images"),
    ],
)
def test_errors(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate_ranking(*_hits(1, 0, 1)._replace(**changes))


def test_rank_errors() -> None:
    with pytest.raises(ValueError, match="max_rank must be at least 1, got 0"):
        evaluate_ranking(*_hits(1, 0), max_rank=0)


def _features(seed: int, num: int, width: int = 6) -> Features:
    rng = np.random.default_rng(seed)
    return Features(
        rng.normal(size=(num, width)).astype(np.float32), rng.integers(-1, 4, num), rng.integers(0, 3, num)
    )


@pytest.mark.parametrize("block_cells", [1, 50, 16_000_000])
@pytest.mark.parametrize("use_cameras", [True, False])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_features_score_as_their_distances_do(
    seed: int, metric: str, use_cameras: bool, block_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_CELLS", block_cells)
    monkeypatch.setattr(blocks, "FEW_ROWS", 1)
    query, gallery = _features(seed, 7), _features(seed + 100, 20)
    slow = slow_cosine_distance if metric == "cosine" else slow_euclidean_distance
    distances = np.array(slow(query.embeddings.tolist(), gallery.embeddings.tolist()))
    cameras = (query.camids, gallery.camids) if use_cameras else ()
    expected = evaluate_ranking(distances, query.pids, gallery.pids, *cameras)
    assert _same(evaluate_features(query, gallery, metric=metric, use_cameras=use_cameras), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_identical_features_score_pessimistically(metric: str) -> None:
    rows = np.tile(np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32), (200, 1))
    query = Features(rows[:5], np.arange(5), np.zeros(5, dtype=np.int64))
    gallery = Features(rows, np.arange(200) % 10, np.ones(200, dtype=np.int64))
    result = evaluate_features(query, gallery, metric=metric)
    assert result.first_match.tolist() == [181] * 5
    assert result.rank(1) == 0


def test_feature_errors() -> None:
    query, gallery = _features(0, 3), _features(1, 4)
    with pytest.raises(
        ValueError, match=r"shape \(3, 5\), gallery features \(4, 6\): expected the same number"
    ):
        evaluate_features(_features(0, 3, width=5), gallery)
    with pytest.raises(ValueError, match="unknown metric 'dot': expected one of cosine, euclidean"):
        evaluate_features(query, gallery, metric="dot")
    broken = _features(0, 3)
    broken.embeddings[1, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"query features are NaN, infinite or beyond 1e\+17 in 1 of 3 rows: 1$"
    ):
        evaluate_features(broken, gallery)
    short = Features(query.embeddings, query.pids[:2], query.camids)
    with pytest.raises(ValueError, match=r"query_pids must have shape \(3,\), got \(2,\)"):
        evaluate_features(short, gallery)
    with pytest.raises(ValueError, match=r"gallery features must be numbers \(M, D\) with at least one row"):
        evaluate_features(query, _features(0, 0))


@pytest.mark.slow
def test_read_only_and_strided_matrices_are_scored_alike() -> None:
    case = _random_case(1)
    expected = evaluate_ranking(*case)
    frozen = case.distances.copy()
    frozen.flags.writeable = False
    for distances in (
        frozen,
        np.asfortranarray(case.distances),
        np.repeat(case.distances, 2, axis=1)[:, ::2],
    ):
        assert _same(evaluate_ranking(*case._replace(distances=distances)), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_reranked_features_score_as_their_reranked_distances_do(metric: str) -> None:
    for seed in range(5):
        query, gallery = _features(seed, 7), _features(seed + 100, 20)
        kept = gallery.pids != -1  # junk is no neighbour of anybody
        sides = [query.embeddings, gallery.embeddings[kept]]
        if metric == "cosine":
            sides = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
        distances = k_reciprocal_rerank(*sides, k1=4, k2=2)
        expected = evaluate_ranking(
            distances, query.pids, gallery.pids[kept], query.camids, gallery.camids[kept]
        )
        result = evaluate_features(query, gallery, metric=metric, rerank=RerankSettings(k1=4, k2=2))
        assert _same(result, expected)


def test_reranking_by_an_unknown_metric() -> None:
    with pytest.raises(ValueError, match="unknown metric 'dot': expected one of cosine, euclidean"):
        evaluate_features(_features(0, 7), _features(1, 20), metric="dot", rerank=RerankSettings())


@pytest.mark.parametrize("rerank", [None, RerankSettings(4, 2)])
def test_the_place_of_features_does_not_matter_by_euclidean_distance(rerank: RerankSettings | None) -> None:
    """In float32 |a|^2 + |b|^2 - 2ab of features around 1,000 is mostly rounding."""
    results = []
    for offset in (0, 1000):
        sides = [_features(0, 12), _features(1, 40)]
        rows = [np.round(side.embeddings * 64) / 64 + np.float32(offset) for side in sides]  # exact
        sides = [replace(side, embeddings=moved) for side, moved in zip(sides, rows, strict=True)]
        results.append(evaluate_features(*sides, metric="euclidean", rerank=rerank))
    assert 0.1 < results[0].mean_ap < 0.9
    assert _same(*results)


@pytest.mark.parametrize("rerank", [None, RerankSettings(4, 2), RerankSettings(4, 2, doubled_pool=True)])
@pytest.mark.parametrize("use_cameras", [True, False])
@pytest.mark.parametrize("metric", METRICS)
def test_images_that_search_one_another_never_find_themselves(
    metric: str, use_cameras: bool, rerank: RerankSettings | None
) -> None:
    for seed in range(3):
        features = _features(seed, 30)
        features.camids[:10] = -1
        kept = features.pids >= 0
        rows, pids, camids = features.embeddings[kept], features.pids[kept], features.camids[kept]
        if metric == "cosine":
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        if rerank is None:
            distances = np.array(slow_euclidean_distance(rows.tolist(), rows.tolist()))
        else:
            distances = k_reciprocal_rerank(rows, None, k1=4, k2=2, doubled_pool=rerank.doubled_pool)
        own = 100 + np.arange(len(pids))
        cameras = np.where(camids < 0, own, camids) if use_cameras else own
        expected = evaluate_ranking(distances, pids, pids, cameras, cameras)
        result = evaluate_features(features, metric=metric, use_cameras=use_cameras, rerank=rerank)
        assert result.mean_ap == pytest.approx(expected.mean_ap, abs=1e-6)
        assert result.num_gallery == kept.sum()


def test_cameras_may_be_called_anything() -> None:
    largest = np.iinfo(np.int64).max
    rows = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    pids, camids = np.array([1, 1, 1, 2, 2, 2]), np.array([largest, -1, 0, largest, -1, -1])
    small = np.where(camids == largest, 1, camids)
    expected = evaluate_features(Features(rows, pids, small))
    assert _same(evaluate_features(Features(rows, pids, camids)), expected)


def test_whose_fault_it_is_that_nothing_matches() -> None:
    rows, cameras = np.eye(2, dtype=np.float32), np.zeros(2, np.int64)
    query = Features(rows, np.array([1, 2]), cameras)
    with pytest.raises(ValueError, match="they share no identity; check how the identities are read"):
        evaluate_features(query, Features(rows, np.array([3, -1]), cameras))
    with pytest.raises(ValueError, match="its own camera's do not count; score without cameras"):
        evaluate_features(query, Features(rows, np.array([1, 2]), cameras))


def test_features_that_are_no_arrays_or_lie_oddly_in_memory() -> None:
    query, gallery = _features(0, 7), _features(1, 20)
    expected = evaluate_features(query, gallery)
    frozen = gallery.embeddings.copy()
    frozen.flags.writeable = False
    for rows in (frozen, gallery.embeddings.astype(">f4"), gallery.embeddings[::-1].copy()[::-1]):
        other = Features(rows, gallery.pids, gallery.camids)
        assert _same(evaluate_features(query, other), expected)
        reranked = evaluate_features(query, other, rerank=RerankSettings(4, 2))
        assert _same(reranked, evaluate_features(query, gallery, rerank=RerankSettings(4, 2)))
    with pytest.raises(TypeError, match="gallery features must be a numpy array, got list"):
        evaluate_features(query, Features([[1.0]], gallery.pids, gallery.camids))  # type: ignore[arg-type]


def test_features_score_as_their_gnn_reranked_distances_do() -> None:
    query, gallery = _features(0, 7), _features(1, 20)
    kept = gallery.pids >= 0
    distances = gnn_rerank(query.embeddings, gallery.embeddings[kept], k1=5, k2=2)
    expected = evaluate_ranking(distances, query.pids, gallery.pids[kept], query.camids, gallery.camids[kept])
    settings = GnnRerankSettings(k1=5, k2=2)
    assert _same(evaluate_features(query, gallery, rerank=settings), expected)
    for case in ((query, None, "cosine"), (query, gallery, "euclidean")):
        with pytest.raises(ValueError, match="GNN re-ranking compares queries with a gallery by cosine"):
            evaluate_features(*case[:2], metric=case[2], rerank=settings)


def test_a_gallery_that_is_the_very_object_of_the_queries_is_a_gallery_all_the_same() -> None:
    features = _features(0, 30)
    copy = Features(features.embeddings.copy(), features.pids, features.camids)
    settings = RerankSettings(k1=5, k2=2)
    assert _same(
        evaluate_features(features, features, rerank=settings),
        evaluate_features(features, copy, rerank=settings),
    )
