"""Both pools give the distances of the whole matrix, in any block, and refuse what cannot be re-ranked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reid_gl.evaluation.reranking.pools import FeaturePool, MatrixPool

NUM_QUERIES, NUM_GALLERY = 4, 6
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(NUM_QUERIES + NUM_GALLERY, 3)).astype(np.float32)
QUERY, GALLERY = FEATURES[:NUM_QUERIES], FEATURES[NUM_QUERIES:]
SQUARED = np.square(FEATURES[:, None] - FEATURES[None]).sum(axis=2)


def matrix_pool() -> MatrixPool:
    distances = np.sqrt(SQUARED)
    return MatrixPool(
        distances[:NUM_QUERIES, NUM_QUERIES:],
        distances[:NUM_QUERIES, :NUM_QUERIES],
        distances[NUM_QUERIES:, NUM_QUERIES:],
    )


@pytest.mark.parametrize("kind", ["features", "matrix"])
def test_every_block_and_every_pair(kind: str) -> None:
    pool = FeaturePool(QUERY, GALLERY) if kind == "features" else matrix_pool()
    assert (pool.num, pool.num_queries, pool.first_gallery) == (10, NUM_QUERIES, NUM_QUERIES)
    for start in range(pool.num):
        for stop in range(start + 1, pool.num + 1):
            for first in range(start + 1):
                block = pool.rows(start, stop, first)
                assert np.allclose(block, SQUARED[start:stop, first:], rtol=1e-5, atol=1e-5)
    first, second = (side.astype(np.int32).ravel() for side in np.indices((pool.num, pool.num)))
    assert np.allclose(pool.pairs(first, second), SQUARED.ravel(), rtol=1e-5, atol=1e-5)


def test_queries_that_are_also_the_gallery_enter_once() -> None:
    pool = FeaturePool(QUERY, None)
    assert (pool.num, pool.num_queries, pool.first_gallery) == (NUM_QUERIES, NUM_QUERIES, 0)
    assert pool.num_bytes == QUERY.nbytes


def test_features_far_from_the_origin_keep_their_distances() -> None:
    pool = FeaturePool(QUERY + np.float32(1024), GALLERY + np.float32(1024))
    assert np.allclose(pool.rows(0, pool.num, 0), SQUARED, rtol=1e-3, atol=1e-2)


def test_the_features_of_the_caller_stay_as_they_are() -> None:
    query, gallery = torch.from_numpy(QUERY.copy()), torch.from_numpy(GALLERY + np.float32(5))
    FeaturePool(query, gallery)
    assert np.array_equal(query.numpy(), QUERY)
    assert np.array_equal(gallery.numpy(), GALLERY + np.float32(5))


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (
            QUERY,
            GALLERY[:, :2],
            r"expected query features \(Q, D\) and gallery features \(G, D\), got \(4, 3\)",
        ),
        (QUERY[:0], GALLERY, r"query is empty, \(0, 3\): there is nothing to re-rank"),
        (
            QUERY,
            np.where(np.arange(NUM_GALLERY)[:, None] == 1, np.nan, GALLERY),
            r"gallery is not finite, .* in 1 rows, first \[1\]",
        ),
    ],
)
def test_features_that_cannot_be_compared(query: np.ndarray, gallery: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeaturePool(query, gallery.astype(np.float32))


def test_features_that_are_no_numbers() -> None:
    with pytest.raises(TypeError, match="features must be an array or a tensor of numbers, got list"):
        FeaturePool([[1.0]], None)  # type: ignore[arg-type]


def test_matrices_that_do_not_fit_or_are_not_finite() -> None:
    square = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=r"expected distances \(Q, G\), \(Q, Q\) and \(G, G\), got \(2, 3\)"):
        MatrixPool(np.zeros((2, 3), np.float32), square, square)
    with pytest.raises(ValueError, match=r"query_query is not finite, or too large, in 1 rows, first \[0\]"):
        MatrixPool(square, np.array([[0, np.inf], [0, 0]], np.float32), square)
