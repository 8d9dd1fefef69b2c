from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.similarity import (
    METRICS,
    cosine_distance,
    euclidean_distance,
    pairwise_distance,
    pearson_similarity,
)
from tests.reference.slow_similarity import (
    slow_cosine_distance,
    slow_euclidean_distance,
    slow_pearson_similarity,
)


def _rows(seed: int, num: int, width: int = 5, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(num, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_cosine_by_hand() -> None:
    first = torch.tensor([[3.0, 0.0], [0.0, 0.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 5.0], [-2.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    expected = torch.tensor([[0.0, 1.0, 2.0, 1 - 0.5**0.5, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    assert torch.allclose(cosine_distance(first, second), expected)


def test_euclidean_by_hand() -> None:
    first = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    second = torch.tensor([[3.0, 4.0], [1.0, 1.0]])
    assert torch.allclose(euclidean_distance(first, second), torch.tensor([[5.0, 2**0.5], [13**0.5, 0.0]]))


def test_pearson_by_hand() -> None:
    rows = torch.tensor([[1.0, -1.0, 0.0], [11.0, 10.0, 9.0], [-4.0, 4.0, 0.0], [7.0, 7.0, 7.0]])
    expected = torch.tensor([[1.0, 0.5, -1.0, 0], [0.5, 1.0, -0.5, 0], [-1.0, -0.5, 1.0, 0], [0, 0, 0, 0]])
    assert torch.allclose(pearson_similarity(rows), expected, atol=1e-6)


def test_agree_with_the_slow_versions() -> None:
    for seed in range(8):
        first, second = _rows(seed, 4), 3 * _rows(seed + 100, 40) + 1  # 40 rows: cdist multiplies matrices
        for fast, slow in (
            (cosine_distance, slow_cosine_distance),
            (euclidean_distance, slow_euclidean_distance),
        ):
            expected = torch.tensor(slow(first.tolist(), second.tolist()), dtype=torch.float64)
            assert torch.allclose(fast(first, second), expected, atol=1e-12)
        expected = torch.tensor(slow_pearson_similarity(first.tolist()), dtype=torch.float64)
        assert torch.allclose(pearson_similarity(first), expected, atol=1e-12)


def test_euclidean_keeps_small_distances_of_large_vectors() -> None:
    for seed in range(8):
        centre = 1e4 * _rows(seed, 1, 64)
        first = (centre + 1e-3 * _rows(seed + 1, 5, 64)).float()
        second = (centre + 1e-3 * _rows(seed + 2, 40, 64)).float()
        slow = torch.tensor(slow_euclidean_distance(first.tolist(), second.tolist()))
        assert 1e-3 < slow.min() < slow.max() < 5e-2
        assert torch.allclose(euclidean_distance(first, second), slow, rtol=1e-4)


def test_euclidean_keeps_small_distances_far_from_the_mean() -> None:
    """Shifting by the mean must not round: most of the second rows lie 10,000 away from the first."""
    first = torch.tensor([[1.2345678]])
    second = torch.cat([torch.full((60, 1), -1e4), torch.tensor([[1.2345679 + 1e-2]])])
    slow = slow_euclidean_distance(first.tolist(), second.tolist())[0][-1]
    assert euclidean_distance(first, second)[0, -1].item() == pytest.approx(slow, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_dtype_and_shape_are_kept(metric: str, dtype: torch.dtype) -> None:
    distances = pairwise_distance(_rows(0, 3, dtype=dtype), _rows(1, 7, dtype=dtype), metric=metric)
    assert distances.shape == (3, 7)
    assert distances.dtype == dtype


@pytest.mark.parametrize("metric", METRICS)
def test_an_empty_side_gives_an_empty_matrix(metric: str) -> None:
    rows = _rows(0, 3)
    assert pairwise_distance(rows, rows[:0], metric=metric).shape == (3, 0)
    assert pairwise_distance(rows[:0], rows, metric=metric).shape == (0, 3)


@pytest.mark.parametrize("metric", METRICS)
def test_identical_rows_are_at_distance_zero_and_order_does_not_matter(metric: str) -> None:
    rows = _rows(3, 30)
    distances = pairwise_distance(rows, rows, metric=metric)
    assert torch.allclose(distances.diagonal(), torch.zeros(30, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(distances, distances.T, atol=1e-6)


def test_the_inputs_are_not_changed() -> None:
    first, second = _rows(0, 3), _rows(1, 4)
    copies = first.clone(), second.clone()
    cosine_distance(first, second)
    euclidean_distance(first, second)
    pearson_similarity(first)
    assert torch.equal(first, copies[0])
    assert torch.equal(second, copies[1])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), exponent=st.integers(-30, 30), shift=st.floats(-10, 10))
def test_pearson_ignores_scale_and_shift(seed: int, exponent: int, shift: float) -> None:
    rows = _rows(seed, 4, 8)
    similarities = pearson_similarity(rows)
    assert similarities.abs().max() <= 1 + 1e-12
    assert torch.allclose(pearson_similarity((rows + shift) * 10.0**exponent), similarities, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1e25])
def test_pearson_of_very_small_and_large_float32_rows(scale: float) -> None:
    rows = _rows(0, 4, 8, torch.float32)
    assert torch.allclose(pearson_similarity(rows * scale), pearson_similarity(rows), atol=1e-5)


def test_pearson_gradcheck() -> None:
    assert torch.autograd.gradcheck(pearson_similarity, (_rows(5, 4).requires_grad_(),))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-20, -3e7])
def test_pearson_of_a_constant_row_is_zero_with_its_gradient(value: float) -> None:
    rows = _rows(0, 3, 7, torch.float32)
    rows[1] = value
    rows.requires_grad_()
    similarities = pearson_similarity(rows)
    assert similarities[1].abs().max() == 0
    assert similarities[:, 1].abs().max() == 0
    similarities.pow(2).sum().backward()
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()
    assert rows.grad[1].abs().max() == 0


def test_unknown_metric() -> None:
    with pytest.raises(ValueError, match="unknown metric 'manhattan': expected one of cosine, euclidean"):
        pairwise_distance(_rows(0, 1), _rows(0, 1), metric="manhattan")


def test_nan_is_not_hidden() -> None:
    rows = torch.full((1, 2), np.nan)
    assert cosine_distance(rows, rows).isnan().all()
    assert euclidean_distance(rows, rows).isnan().all()
