from __future__ import annotations

import numpy as np
import pytest
import torch

from reid_gl.evaluation import blocks
from reid_gl.evaluation.blocks import LARGEST, check_features, check_rows, distance_blocks
from reid_gl.similarity import METRICS
from tests.reference.slow_similarity import slow_cosine_distance, slow_euclidean_distance


def _rows(seed: int, num: int, width: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, width)).astype(np.float32)


@pytest.mark.parametrize(("block_cells", "sizes"), [(1, [2, 2, 2, 1]), (60, [3, 3, 1]), (16_000_000, [7])])
@pytest.mark.parametrize("metric", METRICS)
def test_blocks_of_every_size_hold_the_distances_of_the_definition(
    metric: str, block_cells: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_CELLS", block_cells)
    monkeypatch.setattr(blocks, "FEW_ROWS", 2)
    query, gallery = _rows(0, 7), _rows(1, 20)
    found = [block.copy() for block in distance_blocks(query, gallery, metric=metric)]
    assert [len(block) for block in found] == sizes
    slow = slow_cosine_distance if metric == "cosine" else slow_euclidean_distance
    np.testing.assert_allclose(np.vstack(found), slow(query.tolist(), gallery.tolist()), atol=1e-6)
    assert all(block.dtype == np.float32 for block in found)


def test_euclidean_distances_survive_a_shift_that_dwarfs_them() -> None:
    query, gallery = np.array([[4096.0, 0]], np.float32), np.array([[4096.5, 0], [4096, 2]], np.float32)
    assert next(distance_blocks(query, gallery, metric="euclidean")).tolist() == [[0.5, 2.0]]


def test_whole_numbers_and_read_only_rows_are_taken_and_not_changed() -> None:
    rows = np.array([[3, 4], [0, 5]])
    rows.flags.writeable = False
    (block,) = distance_blocks(rows, rows, metric="euclidean")
    np.testing.assert_allclose(block, [[0, 10**0.5], [10**0.5, 0]], rtol=1e-6)
    assert rows.tolist() == [[3, 4], [0, 5]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_copies_of_a_row_have_its_distances_and_leave_the_others_as_they_are(metric: str) -> None:
    rng = np.random.default_rng(0)
    query, gallery = (rng.normal(size=(num, 33)).astype(np.float32) for num in (20, 300))
    (before,) = distance_blocks(query, gallery, metric=metric)
    doubled = np.concatenate([gallery, gallery[::-1]])
    (after,) = distance_blocks(query, doubled, metric=metric)
    np.testing.assert_allclose(after[:, :300], before, atol=1e-6)
    np.testing.assert_array_equal(after[:, 300:][:, ::-1], after[:, :300])


def test_copies_are_bit_identical_even_where_a_product_rounds_by_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = np.random.default_rng(0).random((2, 3, 5)).astype(np.float32)
    monkeypatch.setattr(blocks, "_euclidean_blocks", lambda *sides: iter(noise.copy()))
    gallery = _rows(0, 5)
    gallery[[3, 4]] = gallery[0]
    found = list(distance_blocks(_rows(1, 6), gallery, metric="euclidean"))
    for block, before in zip(found, noise, strict=True):
        assert np.array_equal(block, before[:, [0, 1, 2, 0, 0]])


def test_an_unknown_metric() -> None:
    with pytest.raises(ValueError, match="unknown metric 'dot': expected one of cosine, euclidean"):
        distance_blocks(_rows(0, 2), _rows(1, 2), metric="dot")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros(3), r"^a must be numbers \(M, D\) with at least one row, got float64 \(3,\)$"),
        (np.zeros((0, 3)), r"with at least one row, got float64 \(0, 3\)$"),
        (np.array([["1"]]), r"must be numbers .* got <U1 \(1, 1\)$"),
        (np.array([[1.0], [np.nan], [-np.inf]]), r"NaN, infinite or beyond 1e\+17 in 2 of 3 rows: 1, 2$"),
        (np.full((7, 2), 2 * LARGEST), r"in 7 of 7 rows: 0, 1, 2, 3, 4, \.\.\.$"),
    ],
)
def test_rows_that_cannot_be_compared(rows: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_rows("a", rows)


def test_rows_that_are_no_arrays() -> None:
    with pytest.raises(TypeError, match=r"^a must be a numpy array, got list$"):
        check_rows("a", [[1.0]])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"got Tensor: hand over tensor\.detach\(\)\.cpu\(\)\.float\(\)"):
        check_rows("a", torch.eye(2))  # type: ignore[arg-type]


def test_two_sides_have_the_same_number_of_columns() -> None:
    check_features(np.full((1, 2), LARGEST), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"shape \(1, 2\), gallery features \(1, 3\): expected the same"):
        check_features(np.ones((1, 2)), np.ones((1, 3)))
