"""The kernels, against NumPy's sorting of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.reranking.nearest import (
    CHUNK,
    divide_products,
    nearest_of_columns,
    nearest_of_rows,
    pair_distances,
    square_products,
)

NUM_ROWS, NUM_COLUMNS, NUM_KEPT = 7, 2 * CHUNK + 9, 5
FARTHEST = np.finfo(np.float32).max


@pytest.fixture
def squared() -> np.ndarray:
    """(7, 265) squared distances, many of them equal."""
    return np.random.default_rng(0).integers(0, 40, (NUM_ROWS, NUM_COLUMNS)).astype(np.float32)


def empty_lists(num: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((num, NUM_KEPT), np.int32), np.full((num, NUM_KEPT), FARTHEST), np.zeros(num, np.float32)


def test_rows_keep_the_nearest_columns_lower_index_first(squared: np.ndarray) -> None:
    nearest, near, largest = empty_lists(NUM_ROWS)
    for start, stop in ((0, 100), (100, 101), (101, NUM_COLUMNS)):
        nearest_of_rows(np.ascontiguousarray(squared[:, start:stop]), start, nearest, near, largest)
    expected = np.argsort(squared, axis=1, kind="stable")[:, :NUM_KEPT]
    assert np.array_equal(nearest, expected)
    assert np.array_equal(near, np.take_along_axis(squared, expected, axis=1))
    assert np.array_equal(largest, squared.max(axis=1))


def test_columns_keep_the_nearest_rows_lower_index_first(squared: np.ndarray) -> None:
    nearest, near, largest = empty_lists(NUM_COLUMNS)
    for start, stop in ((0, 3), (3, NUM_ROWS)):
        nearest_of_columns(squared[start:stop], start, nearest, near, largest)
    expected = np.argsort(squared, axis=0, kind="stable")[:NUM_KEPT].T
    assert np.array_equal(nearest, expected)
    assert np.array_equal(near, np.take_along_axis(squared.T, expected, axis=1))
    assert np.array_equal(largest, squared.max(axis=0))


def test_a_short_row_leaves_places_empty() -> None:
    nearest, near, largest = empty_lists(1)
    nearest_of_rows(np.array([[3.0, 1.0]], np.float32), 10, nearest, near, largest)
    assert nearest[0, :2].tolist() == [11, 10]
    assert near[0].tolist() == [1.0, 3.0, FARTHEST, FARTHEST, FARTHEST]


def test_dot_products_become_distances() -> None:
    rng = np.random.default_rng(1)
    rows, columns = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(9, 6)).astype(np.float32)
    expected = np.square(rows[:, None] - columns[None]).sum(axis=2)

    products = rows @ columns.T
    square_products(products, np.square(rows).sum(axis=1), np.square(columns).sum(axis=1))
    assert np.allclose(products, expected, rtol=1e-5, atol=1e-5)

    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    lengths = np.linalg.norm(columns, axis=1)
    products = unit @ columns.T
    divide_products(products, lengths)
    assert np.allclose(products, 1 - unit @ (columns / lengths[:, None]).T, atol=1e-6)

    first, second = np.array([0, 3, 2], np.int32), np.array([8, 0, 2], np.int32)
    features = np.concatenate([columns])
    pairs = pair_distances(features, np.square(features).sum(axis=1), first, second)
    assert np.allclose(pairs, np.square(features[first] - features[second]).sum(axis=1), rtol=1e-5, atol=1e-5)


def test_rounding_never_makes_a_squared_distance_negative() -> None:
    row = np.full((1, 300), 0.1, np.float32)
    products = row @ row.T
    square_products(products, products[0] * np.float32(0.999999), products[0])
    assert products[0, 0] == 0
