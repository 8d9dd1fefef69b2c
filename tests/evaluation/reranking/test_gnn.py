from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation.reranking import gnn as module
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings, gnn_rerank, gnn_reranked_blocks
from reid_gl.evaluation.scores.ranking import evaluate_ranking
from tests.reference.slow_gnn_rerank import slow_gnn_rerank

Case = tuple[np.ndarray, np.ndarray, dict[str, Any]]


def _random_case(seed: int) -> Case:
    """Tiny and larger pools; every other one of exact cosines that tie, with duplicates and zero rows."""
    rng = np.random.default_rng(seed)
    num_queries, num_gallery = rng.integers(1, 12), rng.integers(1, 60)
    pool = rng.normal(size=(num_queries + num_gallery, 8)).astype(np.float32)
    if seed % 2:  # one, two or four numbers of the same size: unit vectors whose dot products float32 takes
        widths = rng.choice([0, 1, 4], size=len(pool))
        pool = np.where(np.arange(4) < widths[:, None], rng.choice([-1.0, 1.0], (len(pool), 4)), 0.0)
        pool = rng.permuted(pool, axis=1).astype(np.float32)
    k1 = int(rng.integers(1, 30))
    settings = {"k1": k1, "k2": int(rng.integers(1, k1 + 1)), "alpha": 3 - 2.9 * rng.random()}
    return pool[:num_queries], pool[num_queries:], {**settings, "num_layers": int(rng.integers(1, 4))}


def _clusters(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Query, gallery, and their identities: thirty noisy people in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, 16))
    pids = np.repeat(np.arange(30), 12)
    rows = (centres[pids] + 0.8 * rng.normal(size=(len(pids), 16))).astype(np.float32)
    is_query = np.arange(len(pids)) % 12 < 2
    return rows[is_query], rows[~is_query], pids[is_query], pids[~is_query]


def test_four_images_by_hand() -> None:
    query = np.array([[1.0, 0.0]])
    gallery = np.array([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]])
    # cosines: 0-1 0.6, 1-2 0.8, 0-2 0, 2-3 0; nearest two: 0: {0, 1}, 1: {1, 2}, 2: {2, 1}, 3: {3, 2}
    # with the transpose: 0: (2, 1, 0, 0), 1: (1, 2, 2, 0), 2: (0, 2, 2, 1), 3: (0, 0, 1, 2)
    rows = np.array([[2.36, 1.72, 0.72, 0.0], [1.0, 3.28, 3.28, 0.64], [0.64, 3.28, 3.28, 1.0], [0, 0, 1, 2]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    result = gnn_rerank(query, gallery, k1=2, k2=2, num_layers=1)
    np.testing.assert_allclose(result, 1 - rows[:1] @ rows[1:].T, atol=1e-6)


def test_agrees_with_the_dense_version() -> None:
    for seed in range(8):
        query, gallery, settings = _random_case(seed)
        expected = slow_gnn_rerank(np.concatenate([query, gallery]), len(query), **settings)
        result = gnn_rerank(query, gallery, **settings)
        assert result.dtype == np.float32
        assert np.abs(result - expected).max() <= 1e-5


def test_agrees_with_the_dense_version_by_default_and_with_as_many_neighbours_as_there_are() -> None:
    for seed in range(3):
        query, gallery, _, _ = _clusters(seed)
        defaults = {"k1": 26, "k2": 7, "alpha": 2.0, "num_layers": 2}
        expected = slow_gnn_rerank(np.concatenate([query, gallery]), len(query), **defaults)
        np.testing.assert_allclose(gnn_rerank(query, gallery), expected, atol=1e-5)
        few = gnn_rerank(query[:2], gallery[:3], k1=1000, k2=900)
        np.testing.assert_array_equal(few, gnn_rerank(query[:2], gallery[:3], k1=5, k2=5))


@pytest.mark.parametrize("seed", range(0, 20, 3))
def test_blocks_of_any_size_give_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery, settings = _random_case(seed)
    expected = gnn_rerank(query, gallery, **settings)
    two_images = 2 * module.BYTES_PER_CELL * (len(query) + len(gallery))
    monkeypatch.setattr(module, "DEFAULT_BLOCK_BYTES", two_images)
    blocks = [*gnn_reranked_blocks(query, gallery, GnnRerankSettings(**settings))]
    assert len(blocks) == math.ceil(len(query) / 2)
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)


def test_noisy_people_are_found_better() -> None:
    for seed in range(5):
        query, gallery, query_pids, gallery_pids = _clusters(seed)
        lengths = [np.linalg.norm(side, axis=1) for side in (query, gallery)]
        plain = 1 - query @ gallery.T / np.outer(*lengths)
        before = evaluate_ranking(plain, query_pids, gallery_pids).mean_ap
        after = evaluate_ranking(gnn_rerank(query, gallery, k1=12, k2=4), query_pids, gallery_pids).mean_ap
        assert before < 0.9
        assert after > before + 0.05


def test_shuffling_the_gallery_shuffles_the_distances_and_scale_does_not_matter() -> None:
    query, gallery, _, _ = _clusters(7)
    copies = query.copy(), gallery.copy()
    expected = gnn_rerank(query, gallery)
    order = np.random.default_rng(0).permutation(len(gallery))
    np.testing.assert_allclose(gnn_rerank(query, 5 * gallery[order]), expected[:, order], atol=1e-5)
    assert np.array_equal(query, copies[0])
    assert np.array_equal(gallery, copies[1])


def test_all_images_the_same_are_at_distance_zero() -> None:
    """All lists are the same first images, in which an image may well be missing itself."""
    result = gnn_rerank(np.ones((2, 4)), np.ones((30, 4)), k1=3, k2=2)
    np.testing.assert_allclose(result, np.zeros((2, 30)), atol=1e-6)


def test_zero_rows_are_at_distance_one_from_everything() -> None:
    query, gallery, _, _ = _clusters(1)
    query[1], gallery[3] = 0.0, 0.0
    result = gnn_rerank(query, gallery)
    assert (result[1] == 1).all()
    assert (result[:, 3] == 1).all()
    assert result[0].min() < 0.5
    assert (gnn_rerank(np.zeros((1, 3)), np.zeros((2, 3))) == 1).all()


def test_without_layers_the_share_of_common_neighbours_counts() -> None:
    query, gallery, _, _ = _clusters(2)
    shared = gnn_rerank(query, gallery, k1=4, k2=1) * 4  # rows of four times 1/2
    np.testing.assert_allclose(shared, shared.round(), atol=1e-5)


def test_a_memory_limit_makes_small_blocks_or_is_refused(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, gallery, _, _ = _clusters(3)
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        graph = 3 * module.BYTES_PER_LINK * 26 * 360
        small = gnn_rerank(
            query, gallery, k2=1, max_memory_gb=(graph + 7 * 360 * module.BYTES_PER_CELL) / 2**30
        )
        expected = gnn_rerank(query, gallery, k2=1)
    np.testing.assert_allclose(small, expected, atol=1e-6)
    assert "GNN re-ranking 360 images: graph of 0.00 GB, 7 queries at a time" in caplog.text
    assert "360 queries at a time" in caplog.text
    for limit in (0.0005, math.nan):
        message = f"360 images needs up to 0.00 GB beyond its result, max_memory_gb allows {limit}"
        with pytest.raises(ValueError, match=message):
            gnn_rerank(query, gallery, max_memory_gb=limit)
    assert np.array_equal(gnn_rerank(query, gallery, k2=1, max_memory_gb=math.inf), expected)

    monkeypatch.setattr(module, "LARGEST_BLOCK_BYTES", 5 * 360 * module.BYTES_PER_CELL)
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        capped = gnn_rerank(query, gallery, k2=1, max_memory_gb=1e9)
    np.testing.assert_allclose(capped, expected, atol=1e-6)
    assert "graph of 0.00 GB, 5 queries at a time" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k1": 0}, r"k1 of at least 1 and k2 in \[1, k1\], got k1 0 and k2 7"),
        ({"k2": 0}, r"k2 in \[1, k1\], got k1 26 and k2 0"),
        ({"k1": 5}, r"k2 in \[1, k1\], got k1 5 and k2 7"),
        ({"alpha": -1.0}, "finite alpha above 0, got -1.0"),
        ({"alpha": math.nan}, "finite alpha above 0, got nan"),
        ({"num_layers": 0}, "num_layers of at least 1, got 0"),
        ({"query": np.zeros((2, 4))}, r"query features have shape \(2, 4\), gallery features \(4, 3\)"),
        ({"gallery": np.zeros((0, 3))}, "gallery features must be numbers"),
        (
            {"query": np.array([[0, 0, 0], [0, np.nan, 1.0]])},
            r"query features are NaN, infinite or beyond 1e\+17 in 1 of 2",
        ),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    arguments = {"query": np.zeros((2, 3)), "gallery": np.ones((4, 3)), **changes}
    with pytest.raises(ValueError, match=message):
        gnn_rerank(**arguments)
