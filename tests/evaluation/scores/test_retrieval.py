from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from reid_gl.evaluation import (
    RerankSettings,
    RetrievalResult,
    blocks,
    evaluate_features,
    evaluate_retrieval,
    k_reciprocal_rerank,
)
from reid_gl.records import Features
from reid_gl.similarity import METRICS
from tests.reference.slow_retrieval import SlowRetrieval, slow_average_precision_at_r, slow_retrieval
from tests.reference.slow_similarity import slow_cosine_distance, slow_euclidean_distance

KS = (1, 2, 5)


def _rows(seed: int, num: int, num_labels: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Features that know something of their labels; labels of any sign, some of them alone."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, num_labels, num)
    centres = np.random.default_rng(1000).normal(size=(num_labels, 6))
    return (centres[numbers] + rng.normal(size=(num, 6))).astype(np.float32), 3 * numbers - 4


def _line(*places: float) -> np.ndarray:
    """Features on a line, for Euclidean distances."""
    return np.array(places, dtype=np.float32)[:, None]


def _distances(first: np.ndarray, second: np.ndarray, metric: str) -> list[list[float]]:
    slow = slow_cosine_distance if metric == "cosine" else slow_euclidean_distance
    return slow(first.tolist(), second.tolist())


def _assert_same(result: RetrievalResult, slow: SlowRetrieval) -> None:
    assert result.recall_at == pytest.approx(slow.recall_at)
    assert list(result.recall_at) == list(slow.recall_at)
    assert result.map_at_r == pytest.approx(slow.map_at_r)
    assert result.r_precision == pytest.approx(slow.r_precision)
    assert result.num_scored == slow.num_scored


def test_a_gallery_by_hand() -> None:
    # the query at 0 sees: match, wrong, match, wrong, match: R = 3
    result = evaluate_retrieval(
        _line(0.0),
        np.array([1]),
        gallery_features=_line(1.0, 2.0, 3.0, 4.0, 5.0),
        gallery_labels=np.array([1, 2, 1, 2, 1]),
        ks=(1, 3),
        metric="euclidean",
    )
    assert result.recall_at == {1: 1.0, 3: 1.0}
    assert result.map_at_r == pytest.approx((1 + 2 / 3) / 3)
    assert result.r_precision == pytest.approx(2 / 3)
    assert (result.num_queries, result.num_scored) == (1, 1)


def test_images_that_search_one_another_by_hand() -> None:
    # 0: wrong, match, wrong; 1: wrong (at 0), match, wrong; 3: wrong, match, wrong; 7: wrong, match, wrong
    result = evaluate_retrieval(
        _line(0.0, 1.0, 3.0, 7.0), np.array([1, 2, 1, 2]), ks=(1, 2, 3), metric="euclidean"
    )
    assert result.recall_at == {1: 0.0, 2: 0.75, 3: 1.0}
    assert (result.map_at_r, result.r_precision) == (0.0, 0.0)


def test_a_duplicate_is_found_and_the_image_itself_is_not() -> None:
    rows, labels = _line(0.0, 0.0, 5.0, 5.0), np.array([1, 1, 2, 3])
    result = evaluate_retrieval(rows, labels, ks=(1,), metric="euclidean")
    assert result.recall_at == {1: 1.0}
    assert (result.num_queries, result.num_scored) == (4, 2)
    gallery = {"gallery_features": rows, "gallery_labels": labels}
    assert evaluate_retrieval(rows, labels, metric="euclidean", ks=(1,), **gallery).num_scored == 4


@pytest.mark.parametrize("metric", METRICS)
def test_equal_features_rank_every_wrong_image_first(metric: str) -> None:
    rows = np.tile(np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32), (60, 1))
    result = evaluate_retrieval(rows, np.arange(60) % 3, ks=(40, 41), metric=metric)
    assert result.recall_at == {40: 0.0, 41: 1.0}
    assert (result.map_at_r, result.r_precision) == (0.0, 0.0)


def test_precision_at_r_of_a_list_by_hand() -> None:
    assert slow_average_precision_at_r([True, False, True, True]) == pytest.approx((1 + 2 / 3) / 3)


@pytest.mark.parametrize("block_cells", [1, 300, 16_000_000])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_definition(
    seed: int, metric: str, block_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_CELLS", block_cells)
    monkeypatch.setattr(blocks, "FEW_ROWS", 1)
    (rows, labels), (others, other_labels) = _rows(seed, 13, 8), _rows(seed + 100, 21)
    itself = evaluate_retrieval(rows, labels, ks=KS, metric=metric)
    _assert_same(itself, slow_retrieval(_distances(rows, rows, metric), labels.tolist(), None, KS))
    gallery = evaluate_retrieval(
        rows, labels, gallery_features=others, gallery_labels=other_labels, ks=KS, metric=metric
    )
    distances = _distances(rows, others, metric)
    _assert_same(gallery, slow_retrieval(distances, labels.tolist(), other_labels.tolist(), KS))
    assert itself.num_queries == gallery.num_queries == 13


@pytest.mark.parametrize("with_gallery", [False, True])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_pytorch_metric_learning_where_nothing_ties(
    seed: int, metric: str, with_gallery: bool
) -> None:
    distance = CosineSimilarity() if metric == "cosine" else LpDistance(normalize_embeddings=False)
    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        device=torch.device("cpu"),
        knn_func=CustomKNN(distance),
        kmeans_func=lambda rows, num: None,
    )
    (rows, labels), (others, other_labels) = _rows(seed, 60, 12), _rows(seed + 100, 80, 9)
    gallery: dict[str, Any] = {"gallery_features": others, "gallery_labels": other_labels}
    theirs = calculator.get_accuracy(rows, labels, *((others, other_labels) if with_gallery else ()))
    ours = evaluate_retrieval(rows, labels, metric=metric, **(gallery if with_gallery else {}))
    assert ours.recall_at[1] == pytest.approx(theirs["precision_at_1"])
    assert ours.map_at_r == pytest.approx(theirs["mean_average_precision_at_r"])
    assert ours.r_precision == pytest.approx(theirs["r_precision"])


def test_recall_is_the_cumulative_matching_curve() -> None:
    for seed in range(5):
        rows, labels = _rows(seed, 40)
        result = evaluate_retrieval(rows, labels, ks=(1, 3, 10))
        pids = np.unique(labels, return_inverse=True)[1]
        ranking = evaluate_features(Features(rows, pids, np.full(40, -1)))
        assert result.recall_at == {k: ranking.rank(k) for k in (1, 3, 10)}


def test_neither_order_nor_scale_nor_names_matter() -> None:
    for seed in range(5):
        rows, labels = _rows(seed, 40)
        order = np.random.default_rng(seed).permutation(40)
        expected = evaluate_retrieval(rows, labels)
        for metric in METRICS:
            assert evaluate_retrieval(8 * rows, labels, metric=metric) == evaluate_retrieval(
                rows, labels, metric=metric
            )
        shuffled = evaluate_retrieval(rows[order], -labels[order] * 10**15)
        assert shuffled.recall_at == pytest.approx(expected.recall_at)
        assert shuffled.map_at_r == pytest.approx(expected.map_at_r)
        assert shuffled.r_precision == pytest.approx(expected.r_precision)


def test_a_perfect_search_scores_one() -> None:
    labels = np.repeat(np.arange(5), 4)
    result = evaluate_retrieval(np.eye(5, dtype=np.float32)[labels], labels)
    assert set(result.recall_at.values()) == {1.0}
    assert (result.map_at_r, result.r_precision, result.num_scored) == (1.0, 1.0, 20)


@pytest.mark.parametrize("doubled_pool", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_reranked_images_score_as_their_reranked_distances_do(metric: str, doubled_pool: bool) -> None:
    rows, labels = _rows(0, 30)
    compared = rows / np.linalg.norm(rows, axis=1, keepdims=True) if metric == "cosine" else rows
    settings = RerankSettings(k1=4, k2=2, doubled_pool=doubled_pool)
    distances = k_reciprocal_rerank(compared, None, k1=4, k2=2, doubled_pool=doubled_pool)
    result = evaluate_retrieval(rows, labels, ks=KS, metric=metric, rerank=settings)
    _assert_same(result, slow_retrieval(distances.tolist(), labels.tolist(), None, KS))


def test_a_reranked_gallery() -> None:
    (rows, labels), (others, other_labels) = _rows(0, 10), _rows(1, 30)
    gallery: dict[str, Any] = {"gallery_features": others, "gallery_labels": other_labels}
    distances = k_reciprocal_rerank(rows, others, k1=4, k2=2)
    result = evaluate_retrieval(
        rows, labels, ks=KS, metric="euclidean", rerank=RerankSettings(k1=4, k2=2), **gallery
    )
    _assert_same(result, slow_retrieval(distances.tolist(), labels.tolist(), other_labels.tolist(), KS))
    doubled = RerankSettings(doubled_pool=True)
    with pytest.raises(ValueError, match="a doubled pool needs queries that are the gallery too"):
        evaluate_retrieval(rows, labels, rerank=doubled, **gallery)


def test_it_says_how_many_queries_do_not_count(caplog: pytest.LogCaptureFixture) -> None:
    rows = _line(0.0, 1.0, 2.0)
    with caplog.at_level(logging.WARNING):
        evaluate_retrieval(rows, np.array([1, 1, 2]), ks=(1,))
    assert caplog.messages == ["1 of 3 queries have no match and do not count"]
    caplog.clear()
    evaluate_retrieval(rows, np.array([1, 1, 1]), ks=(1,))
    assert not caplog.messages


def test_the_inputs_are_not_changed() -> None:
    rows, labels = _rows(0, 20)
    copies = rows.copy(), labels.copy()
    rows.flags.writeable = labels.flags.writeable = False
    evaluate_retrieval(rows, labels)
    assert np.array_equal(rows, copies[0])
    assert np.array_equal(labels, copies[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ks": (1, 4)}, "whole K from 1 to the 3 images that a query searches, got 4"),
        ({"ks": (0,)}, "whole K from 1 to the 3 images that a query searches, got 0"),
        ({"ks": (1.5,)}, "whole K from 1 to the 3 images that a query searches, got 1.5"),
        ({"labels": np.arange(4)}, "none of the 4 queries has an image of its label among the 3 that it"),
        ({"labels": np.zeros(3)}, r"labels must have shape \(4,\), got \(3,\)"),
        ({"labels": np.full(4, 0.5)}, "labels must be whole numbers of 64 bits, got 0.5"),
        ({"gallery_labels": np.zeros(4)}, "give gallery_features and gallery_labels, or neither"),
        ({"gallery_features": np.eye(4)}, "give gallery_features and gallery_labels, or neither"),
        (
            {"gallery_features": np.eye(4), "gallery_labels": np.zeros(5)},
            r"gallery_labels must have shape \(4,\), got \(5,\)",
        ),
        (
            {"gallery_features": np.ones((4, 3)), "gallery_labels": np.zeros(4)},
            r"shape \(4, 4\), gallery features \(4, 3\): expected the same number of columns",
        ),
        (
            {"gallery_features": np.eye(4), "gallery_labels": np.zeros(4), "ks": (5,)},
            "whole K from 1 to the 4 images that a query searches, got 5",
        ),
        ({"features": np.full((4, 4), np.nan)}, "features are NaN, infinite or beyond .* in 4 of 4 rows"),
        ({"metric": "dot"}, "unknown metric 'dot': expected one of cosine, euclidean"),
        ({"metric": "dot", "rerank": RerankSettings()}, "unknown metric 'dot': expected one of cosine"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    case = {"features": np.eye(4), "labels": np.zeros(4), "ks": (1,), **changes}
    with pytest.raises(ValueError, match=message):
        evaluate_retrieval(**case)


def test_a_single_image_searches_nothing() -> None:
    with pytest.raises(ValueError, match="none of the 1 queries has an image of its label among the 0"):
        evaluate_retrieval(np.ones((1, 2)), np.zeros(1), ks=())
