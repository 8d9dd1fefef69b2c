from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation.feature_distances import compared_rows, feature_distances
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings, gnn_rerank
from reid_gl.evaluation.reranking.rerank import RerankSettings, k_reciprocal_rerank
from reid_gl.similarity import METRICS
from tests.reference.slow_similarity import slow_cosine_distance, slow_euclidean_distance


def _rows(seed: int, num: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, 6)).astype(np.float32)


def _distances(query: np.ndarray, gallery: np.ndarray | None, **settings: Any) -> np.ndarray:
    settings = {"metric": "cosine", "rerank": None, "max_memory_gb": None, **settings}
    return np.vstack([block.copy() for block in feature_distances(query, gallery, **settings)])


@pytest.mark.parametrize("metric", METRICS)
def test_without_reranking_they_are_plain_distances_to_the_gallery_or_to_one_another(metric: str) -> None:
    query, gallery = _rows(0, 4), _rows(1, 9)
    slow = slow_cosine_distance if metric == "cosine" else slow_euclidean_distance
    for other, searched in ((gallery, gallery), (None, query)):
        expected = slow(query.tolist(), searched.tolist())
        np.testing.assert_allclose(_distances(query, other, metric=metric), expected, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("has_gallery", [True, False])
def test_reranking_compares_unit_vectors_only_for_cosine(has_gallery: bool, metric: str) -> None:
    query, gallery = _rows(0, 8), _rows(1, 20) if has_gallery else None
    found = _distances(query, gallery, metric=metric, rerank=RerankSettings(k1=4, k2=2))
    sides = [compared_rows(side, metric) if side is not None else None for side in (query, gallery)]
    assert np.array_equal(found, k_reciprocal_rerank(*sides, k1=4, k2=2))  # type: ignore[arg-type]
    scaled = _distances(query * 3, gallery, metric=metric, rerank=RerankSettings(k1=4, k2=2))
    assert np.allclose(scaled, found, atol=1e-5) is (metric == "cosine" or not has_gallery)


def test_a_memory_limit_reaches_the_reranking() -> None:
    with pytest.raises(ValueError, match=r"re-ranking 29 images needs .* max_memory_gb allows 1e-09"):
        _distances(_rows(0, 8), _rows(1, 21), rerank=RerankSettings(), max_memory_gb=1e-9)


def test_gnn_reranking_wants_cosine_and_a_gallery() -> None:
    query, gallery, settings = _rows(0, 8), _rows(1, 20), GnnRerankSettings(k1=5, k2=2)
    expected = gnn_rerank(query, gallery, k1=5, k2=2)
    assert np.array_equal(_distances(query, gallery, rerank=settings), expected)
    for other, metric in ((None, "cosine"), (gallery, "euclidean")):
        with pytest.raises(ValueError, match="GNN re-ranking compares queries with a gallery by cosine"):
            _distances(query, other, metric=metric, rerank=settings)


def test_compared_rows_are_a_copy_of_unit_length_for_cosine() -> None:
    rows = np.array([[3.0, 4.0], [0.0, 2.0]])
    unit = compared_rows(rows, "cosine")
    np.testing.assert_allclose(unit.numpy(), [[0.6, 0.8], [0, 1]], rtol=1e-6)
    same = compared_rows(rows, "euclidean")
    same.zero_()
    assert rows.tolist() == [[3, 4], [0, 2]]
    with pytest.raises(ValueError, match="unknown metric 'dot': expected one of cosine, euclidean"):
        compared_rows(rows, "dot")
