"""One pass in blocks finds what sorting the whole matrix finds."""

from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.reranking.neighbours import Neighbours, find_neighbours
from reid_gl.evaluation.reranking.pools import FeaturePool

NUM_QUERIES, NUM = 5, 17
# whole numbers: squared distances are exact, and many are equal
FEATURES = np.random.default_rng(0).integers(-2, 3, (NUM, 4)).astype(np.float32)
SQUARED = np.square(FEATURES[:, None] - FEATURES[None]).sum(axis=2)


def check(found: Neighbours, squared: np.ndarray, num_kept: int) -> None:
    expected = np.argsort(squared, axis=1, kind="stable")[:, :num_kept]
    assert np.array_equal(found.nearest, expected)
    assert np.array_equal(found.near, np.take_along_axis(squared, expected, axis=1))
    assert np.array_equal(found.largest, squared.max(axis=1))


@pytest.mark.parametrize("num_rows", [1, 4, 17, 100])
@pytest.mark.parametrize("num_kept", [1, 6, 17])
def test_as_by_sorting_everything(num_rows: int, num_kept: int) -> None:
    pool = FeaturePool(FEATURES[:NUM_QUERIES], FEATURES[NUM_QUERIES:])
    query_gallery = np.empty((NUM_QUERIES, NUM - NUM_QUERIES), np.float32)
    check(find_neighbours(pool, num_kept, num_rows=num_rows, query_gallery=query_gallery), SQUARED, num_kept)
    assert np.array_equal(query_gallery, SQUARED[:NUM_QUERIES, NUM_QUERIES:])


@pytest.mark.parametrize("num_rows", [3, 17])
def test_queries_that_are_the_gallery(num_rows: int) -> None:
    query_gallery = np.empty((NUM, NUM), np.float32)
    pool = FeaturePool(FEATURES, None)
    check(find_neighbours(pool, 6, num_rows=num_rows, query_gallery=query_gallery), SQUARED, 6)
    assert np.array_equal(query_gallery, SQUARED)


def test_a_pool_whose_images_appear_twice() -> None:
    found = find_neighbours(FeaturePool(FEATURES, None), 6, num_rows=17).doubled(10)
    check(found, np.tile(SQUARED, (2, 2)), 10)
