from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from reid_gl.evaluation.reranking import rerank
from reid_gl.evaluation.reranking.rerank import (
    RerankSettings,
    k_reciprocal_rerank,
    k_reciprocal_rerank_distances,
    reranked_blocks,
)
from tests.reference.slow_rerank import slow_rerank


class Case(NamedTuple):
    query: np.ndarray
    gallery: np.ndarray
    settings: dict[str, Any]

    @property
    def squared(self) -> np.ndarray:
        pool = np.concatenate([self.query, self.gallery]).astype(np.float64)
        return np.square(pool[:, None] - pool[None]).sum(axis=2)


def _random_case(seed: int, *, with_duplicates: bool = True) -> Case:
    """Small integers, which float32 takes exactly and which tie; numbers; duplicates; tiny and zero sets."""
    rng = np.random.default_rng(seed)
    num_queries, num_gallery, width = rng.integers(1, 12), rng.integers(1, 40), rng.integers(1, 6)
    shape = (num_queries + num_gallery, width)
    if seed % 3 == 0:
        pool = rng.integers(-2, 3, shape).astype(np.float32)
    else:
        pool = rng.normal(size=shape).astype(np.float32)
        if with_duplicates:
            pool[rng.integers(0, len(pool), rng.integers(0, 4))] = pool[0]
    if seed % 20 == 7:
        pool[:] = 0
    settings = {"k1": int(rng.integers(1, 25)), "k2": int(rng.integers(1, 8)), "lambda_value": rng.random()}
    return Case(pool[:num_queries], pool[num_queries:], settings)


def test_agrees_with_the_original_algorithm() -> None:
    for seed in range(50):
        case = _random_case(seed)
        expected = slow_rerank(case.squared, len(case.query), **case.settings)
        result = k_reciprocal_rerank(case.query, case.gallery, **case.settings)
        assert result.dtype == np.float32
        assert np.abs(result - expected).max() <= 1e-5
        for new, old in zip(result, expected, strict=True):  # the order, where it is no matter of rounding
            gaps = np.diff(np.sort(old))
            if (gaps > 1e-5).all():
                assert np.argsort(new).tolist() == np.argsort(old).tolist()


def test_distances_of_somebody_else_give_the_same() -> None:
    for seed in range(0, 200, 20):
        case = _random_case(seed)
        distances, num = np.sqrt(case.squared), len(case.query)
        parts = (distances[:num, num:], distances[:num, :num], distances[num:, num:])
        result = k_reciprocal_rerank_distances(*parts, **case.settings)
        assert np.abs(result - slow_rerank(case.squared, num, **case.settings)).max() <= 1e-5


@pytest.mark.parametrize("seed", range(0, 200, 40))
def test_blocks_of_any_size_and_the_stream_give_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = _random_case(
        seed, with_duplicates=False
    )  # whose distances tie but for rounding, which blocks change
    expected = k_reciprocal_rerank(case.query, case.gallery, **case.settings)
    settings = RerankSettings(**case.settings)
    np.testing.assert_allclose(np.concatenate([*reranked_blocks(*case[:2], settings)]), expected, atol=1e-6)
    two_images = 2 * 8 * (len(case.query) + len(case.gallery))
    monkeypatch.setattr(rerank, "DEFAULT_BLOCK_BYTES", two_images)
    np.testing.assert_allclose(k_reciprocal_rerank(*case[:2], **case.settings), expected, atol=1e-6)
    blocks = [*reranked_blocks(*case[:2], settings)]
    assert len(blocks) == math.ceil(len(case.query) / 2)
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)


def test_a_memory_limit_makes_small_blocks(caplog: pytest.LogCaptureFixture) -> None:
    case = _random_case(6)
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        k_reciprocal_rerank(*case[:2], max_memory_gb=1.0)
        num = len(case.query) + len(case.gallery)
        fixed = 4 * num * case.query.shape[1] + num * 21 * rerank.BYTES_PER_NEIGHBOUR
        k_reciprocal_rerank(*case[:2], max_memory_gb=(fixed + 3 * 8 * num) / 2**30)
    assert [int(record.args[2]) for record in caplog.records if record.args] == [num, 3]


@pytest.mark.parametrize("limit", [1e9, 1e300, math.inf, 10**30])
def test_a_limit_beyond_any_machine_s_memory_is_not_used_up(
    limit: float, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = _random_case(6)
    num = len(case.query) + len(case.gallery)
    expected = k_reciprocal_rerank(*case[:2])
    monkeypatch.setattr(rerank, "LARGEST_BLOCK_BYTES", 3 * 8 * num)
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        found = k_reciprocal_rerank(*case[:2], max_memory_gb=limit)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert [int(record.args[2]) for record in caplog.records if record.args] == [3]


@pytest.fixture(scope="module")
def torchreid_rerank() -> Callable[..., np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchreid complains that its Cython part is missing
        return pytest.importorskip("torchreid.reid.utils.rerank").re_ranking


def test_agrees_with_torchreid_on_distances_that_are_not_squared(
    torchreid_rerank: Callable[..., np.ndarray],
) -> None:
    """It squares what it is given: its own euclidean distances, which are squared already, twice."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        pool = rng.normal(size=(80, 8)).astype(np.float32)
        distances = np.sqrt(np.square(pool[:, None] - pool[None]).sum(axis=2))
        parts = (distances[:20, 20:], distances[:20, :20], distances[20:, 20:])
        expected = torchreid_rerank(*parts, k1=20, k2=6, lambda_value=0.3)
        assert np.abs(k_reciprocal_rerank_distances(*parts) - expected).max() <= 1e-5
        assert np.abs(k_reciprocal_rerank(pool[:20], pool[20:]) - expected).max() <= 1e-5


def test_lambda_of_one_gives_the_distances_and_of_zero_the_overlap() -> None:
    case = _random_case(1)
    num = len(case.query)
    normalised = case.squared / case.squared.max(axis=1, keepdims=True)
    plain = k_reciprocal_rerank(case.query, case.gallery, lambda_value=1.0)
    np.testing.assert_allclose(plain, normalised[:num, num:], atol=1e-6)
    overlap = k_reciprocal_rerank(case.query, case.gallery, lambda_value=0.0)
    assert overlap.min() >= 0
    assert overlap.max() <= 1


def test_shuffling_the_gallery_shuffles_the_distances() -> None:
    case = _random_case(2)
    order = np.random.default_rng(0).permutation(len(case.gallery))
    expected = k_reciprocal_rerank(case.query, case.gallery, **case.settings)
    shuffled = k_reciprocal_rerank(case.query, case.gallery[order], **case.settings)
    np.testing.assert_allclose(shuffled, expected[:, order], atol=1e-6)


def test_the_scale_of_the_features_does_not_matter() -> None:
    case = _random_case(4)
    expected = k_reciprocal_rerank(case.query, case.gallery, **case.settings)
    scaled = k_reciprocal_rerank(1024 * case.query, 1024 * case.gallery, **case.settings)
    np.testing.assert_array_equal(scaled, expected)


@pytest.mark.parametrize("offset", [1.0, -1000.0, 1e5])
def test_the_place_of_the_features_does_not_matter(offset: float) -> None:
    """In float32 |a|^2 + |b|^2 - 2ab of features around 1,000 is mostly rounding."""
    generator = np.random.default_rng(3)
    rows = generator.integers(-400, 400, (40, 8)).astype(np.float32) / 64  # exact also when moved
    expected = k_reciprocal_rerank(rows[:10], rows[10:], k1=5, k2=3)
    moved = k_reciprocal_rerank(rows[:10] + offset, rows[10:] + offset, k1=5, k2=3)
    assert np.abs(moved - expected).max() < 1e-5


def test_the_inputs_are_not_changed_and_tensors_are_taken() -> None:
    case = _random_case(5)
    query, gallery = case.query.copy(), case.gallery.copy()
    expected = k_reciprocal_rerank(query, gallery)
    assert np.array_equal(query, case.query)
    assert np.array_equal(gallery, case.gallery)
    assert np.array_equal(k_reciprocal_rerank(torch.from_numpy(query), torch.from_numpy(gallery)), expected)


def test_the_estimate_of_the_memory_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        k_reciprocal_rerank(np.ones((2, 3), np.float32), np.zeros((4, 3), np.float32))
    assert "re-ranking 6 images: about 0.00 GB, 6 at a time" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k1": 0}, "re-ranking needs a whole k1 of at least 1, got 0"),
        ({"k2": 0}, "re-ranking needs a whole k2 of at least 1, got 0"),
        ({"lambda_value": 1.5}, r"lambda must lie in \[0, 1\], got 1.5"),
        ({"query": np.zeros((2, 4))}, r"features \(Q, D\) and gallery features \(G, D\), got \(2, 4\) and"),
        ({"gallery": np.zeros((0, 3))}, r"gallery is empty, \(0, 3\): there is nothing to re-rank"),
        (
            {"query": np.array([[0, 0, 0], [0, np.nan, 1.0]])},
            r"query is not finite, or too large, in 1 rows, first \[1\]",
        ),
        ({"max_memory_gb": 1e-9}, r"needs 0.00 GB beyond its result, max_memory_gb allows 1e-09"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    arguments = {"query": np.zeros((2, 3)), "gallery": np.ones((4, 3)), **changes}
    with pytest.raises(ValueError, match=message):
        k_reciprocal_rerank(**arguments)


def test_matrices_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"expected distances \(Q, G\), \(Q, Q\) and \(G, G\), got \(2, 3\)"):
        k_reciprocal_rerank_distances(np.zeros((2, 3)), np.zeros((2, 2)), np.zeros((4, 4)))
    broken = np.zeros((3, 3))
    broken[1, 1] = np.inf
    with pytest.raises(
        ValueError, match=r"gallery_gallery is not finite, or too large, in 1 rows, first \[1\]"
    ):
        k_reciprocal_rerank_distances(np.zeros((2, 3)), np.zeros((2, 2)), broken)


@pytest.mark.parametrize("block_bytes", [64 * 2**20, 700])
@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_images_that_search_one_another_are_pooled_once_or_twice(
    seed: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerank, "DEFAULT_BLOCK_BYTES", block_bytes)
    case = _random_case(seed, with_duplicates=False)
    squared = np.square(case.gallery[:, None] - case.gallery[None]).sum(axis=2, dtype=np.float64)
    num = len(squared)
    doubled = np.tile(squared, (2, 2))
    expected = slow_rerank(doubled, num, **case.settings)
    result = k_reciprocal_rerank(case.gallery, None, **case.settings, doubled_pool=True)
    assert np.abs(result - expected).max() <= 1e-5
    once = slow_rerank(squared, num, **case.settings, is_own_gallery=True)
    result = k_reciprocal_rerank(case.gallery, None, **case.settings)
    assert np.abs(result - once).max() <= 1e-5
    stream = reranked_blocks(case.gallery, None, RerankSettings(**case.settings))
    assert np.abs(np.concatenate([*stream]) - once).max() <= 1e-5


def test_a_doubled_pool_needs_queries_that_are_the_gallery() -> None:
    case = _random_case(3)
    with pytest.raises(ValueError, match="a doubled pool needs queries that are the gallery too"):
        k_reciprocal_rerank(case.query, case.gallery, doubled_pool=True)


def test_huge_distances_and_a_limit_that_is_no_number_are_refused() -> None:
    far = np.full((2, 2), 1e20)
    with pytest.raises(
        ValueError, match=r"query_query is not finite, or too large, in 2 rows, first \[0, 1\]"
    ):
        k_reciprocal_rerank_distances(np.zeros((2, 2)), far, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="max_memory_gb allows nan"):
        k_reciprocal_rerank(np.ones((2, 3)), np.zeros((4, 3)), max_memory_gb=math.nan)
    with pytest.raises(ValueError, match=r"needs a whole k1 of at least 1, got 1.5"):
        RerankSettings(k1=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="features must be an array or a tensor of numbers, got object"):
        k_reciprocal_rerank(np.ones((2, 3), object), np.zeros((4, 3)))
