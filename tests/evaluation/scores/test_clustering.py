from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from reid_gl.evaluation import evaluate_clustering
from reid_gl.evaluation.scores import k_means
from reid_gl.evaluation.scores.clustering import pair_f1
from reid_gl.similarity import METRICS
from tests.evaluation.scores.blobs import blobs
from tests.reference.slow_clustering import slow_pair_f1


def test_f1_of_pairs_by_hand() -> None:
    # pairs that share a label: 01 02 12 34; a cluster: 01 23 24 34; both: 01 34
    assert pair_f1(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0])) == pytest.approx(2 / 4)


def test_f1_agrees_with_all_pairs() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        labels, clusters = rng.integers(0, 4, 25), rng.integers(0, rng.integers(1, 9), 25)
        assert pair_f1(labels, clusters) == pytest.approx(slow_pair_f1(labels.tolist(), clusters.tolist()))


def test_f1_where_no_pair_shares_anything() -> None:
    alone = np.arange(4)
    assert pair_f1(alone, alone[::-1]) == 1.0
    assert pair_f1(alone, np.zeros(4, dtype=np.int64)) == 0.0


def test_f1_counts_more_pairs_than_32_bits_hold() -> None:
    together = np.zeros(200_000, dtype=np.int64)
    assert pair_f1(together, together) == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_those_of_scikit_learn(metric: str) -> None:
    for seed in range(5):
        rows, labels = blobs(seed, 90, 9, noise=1.5)
        names = 10 * labels - 7
        result = evaluate_clustering(rows, names, seed=seed, metric=metric)
        compared = rows / np.linalg.norm(rows, axis=1, keepdims=True) if metric == "cosine" else rows
        clusters = k_means.k_means(torch.from_numpy(compared), 9, seed=seed)
        assert result.nmi == pytest.approx(normalized_mutual_info_score(names, clusters))
        assert result.ami == pytest.approx(adjusted_mutual_info_score(names, clusters))
        assert result.f1 == pytest.approx(slow_pair_f1(names.tolist(), clusters.tolist()))
        assert result.num_clusters == 9
        assert 0 < result.ami < result.nmi < 1
        assert evaluate_clustering(rows, names, seed=seed, metric=metric) == result


def test_far_groups_are_found_exactly() -> None:
    rows, labels = blobs(0, 600, 100, noise=0.02)
    result = evaluate_clustering(rows, labels)
    assert (result.nmi, result.ami, result.f1) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("block_cells", [1, 100])
def test_blocks_change_nothing(block_cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = blobs(1, 80, 8, noise=1.0)
    expected = evaluate_clustering(rows, labels)
    monkeypatch.setattr(k_means, "BLOCK_CELLS", block_cells)
    assert evaluate_clustering(rows, labels) == expected


def test_chance_scores_around_zero() -> None:
    rng = np.random.default_rng(0)
    result = evaluate_clustering(rng.normal(size=(400, 8)), rng.integers(0, 20, 400))
    assert abs(result.ami) < 0.05
    assert result.nmi > 0.1


def test_a_single_label_and_labels_of_one_image_each() -> None:
    rows, _ = blobs(0, 12, 3, noise=1.0)
    for labels in (np.zeros(12), np.arange(12)):
        result = evaluate_clustering(rows, labels)
        assert (result.nmi, result.ami, result.f1) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("metric", METRICS)
def test_equal_features_tell_nothing(metric: str) -> None:
    labels = np.arange(12) % 3
    for row in (np.zeros(4), np.ones(4)):
        result = evaluate_clustering(np.tile(row, (12, 1)), labels, metric=metric)
        assert result.num_clusters == 3
        assert result.ami < 0.3


def test_the_inputs_are_not_changed() -> None:
    rows, labels = blobs(0, 30, 3, noise=1.0)
    copies = rows.copy(), labels.copy()
    rows.flags.writeable = labels.flags.writeable = False
    for metric in METRICS:
        evaluate_clustering(rows, labels, metric=metric)
    assert np.array_equal(rows, copies[0])
    assert np.array_equal(labels, copies[1])


def test_errors() -> None:
    rows, labels = np.eye(3), np.arange(3)
    with pytest.raises(ValueError, match=r"labels must have shape \(3,\), got \(2,\)"):
        evaluate_clustering(rows, labels[:2])
    with pytest.raises(ValueError, match="labels must be whole numbers, got <U1"):
        evaluate_clustering(rows, np.array(["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"features must be numbers \(M, D\) with at least one row"):
        evaluate_clustering(rows[0], labels)
    with pytest.raises(ValueError, match=r"^features are NaN, infinite or beyond .* in 1 of 3 rows: 0$"):
        evaluate_clustering(np.where(rows > 0, [[np.inf], [1], [1]], 0), labels)
    with pytest.raises(ValueError, match="unknown metric 'dot': expected one of cosine, euclidean"):
        evaluate_clustering(rows, labels, metric="dot")
