from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from reid_gl.evaluation.scores import k_means
from tests.evaluation.scores.blobs import blobs
from tests.reference.slow_clustering import slow_nearest_means


def _clusters(rows: np.ndarray, num: int, seed: int = 0) -> np.ndarray:
    return k_means.k_means(torch.from_numpy(rows), num, seed=seed)


def _inertia(rows: np.ndarray, clusters: np.ndarray) -> float:
    return sum(
        float(((rows[clusters == c] - rows[clusters == c].mean(axis=0)) ** 2).sum()) for c in set(clusters)
    )


def test_every_row_is_in_the_cluster_whose_mean_is_nearest() -> None:
    for seed in range(8):
        rows, _ = blobs(seed, 40, 5, noise=2.0)
        clusters = _clusters(rows, 5, seed)
        assert slow_nearest_means(rows.tolist(), clusters.tolist()) == clusters.tolist()
        assert sorted(set(clusters)) == list(range(5))


@pytest.mark.parametrize("num_labels", [10, 100])
def test_clusters_are_as_tight_as_those_of_scikit_learn(num_labels: int) -> None:
    rows, _ = blobs(0, 500, num_labels, noise=0.7)
    ours = np.mean([_inertia(rows, _clusters(rows, num_labels, seed)) for seed in range(5)])
    peers = [KMeans(num_labels, n_init=1, random_state=seed).fit(rows).inertia_ for seed in range(5)]
    assert ours == pytest.approx(np.mean(peers), rel=0.05)


def test_neither_scale_nor_place_changes_clusters() -> None:
    rows = np.random.default_rng(0).integers(-9, 9, (60, 4)).astype(np.float32)
    expected = _clusters(rows, 7).tolist()
    for scale, shift in ((2.0**50, 0.0), (2.0**-50, 0.0), (1.0, 2.0**14)):
        assert _clusters(rows * np.float32(scale) + np.float32(shift), 7).tolist() == expected


def test_fewer_different_rows_than_clusters() -> None:
    rows = np.repeat(np.eye(2, dtype=np.float32), 5, axis=0)
    clusters = _clusters(rows, 4)
    assert not set(clusters[:5]) & set(clusters[5:])


def test_an_empty_cluster_gets_the_farthest_row() -> None:
    clusters, squared = np.array([0, 0, 2, 2]), np.array([0.1, 0.5, 0.2, 0.4], dtype=np.float32)
    assert k_means._fill_empty(clusters, squared, 4).tolist() == [0, 1, 2, 3]
    assert clusters.tolist() == [0, 0, 2, 2]
