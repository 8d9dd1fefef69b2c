from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from reid_gl.models.pooling import POOLINGS, GeMPooling, make_pooling


def _maps(seed: int = 0) -> Tensor:
    return torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed))


def _slow_gem(maps: Tensor, exponent: float) -> list[list[float]]:
    rows = maps.flatten(2).double().tolist()
    return [
        [(sum(max(x, 1e-6) ** exponent for x in channel) / len(channel)) ** (1 / exponent) for channel in row]
        for row in rows
    ]


def test_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert make_pooling("average")(maps).tolist() == [[3.0]]
    assert make_pooling("max")(maps).tolist() == [[6.0]]
    assert make_pooling("mixed", mixed_weight=0.25)(maps).tolist() == [[0.25 * 6 + 0.75 * 3]]
    squares = make_pooling("gem", gem_exponent=2.0)(maps)  # (1 + 4 + 9 + 36) / 4 = 12.5
    assert squares.item() == pytest.approx(12.5**0.5)


@pytest.mark.parametrize("exponent", [0.5, 3.0, 6.5])
def test_gem_agrees_with_the_slow_version(exponent: float) -> None:
    for seed in range(8):
        maps = _maps(seed)
        assert torch.allclose(GeMPooling(exponent)(maps), torch.tensor(_slow_gem(maps, exponent)), rtol=1e-5)


def test_gem_lies_between_average_and_maximum() -> None:
    maps = _maps()
    average, largest = make_pooling("average")(maps), make_pooling("max")(maps)
    assert torch.allclose(GeMPooling(1.0)(maps), average)
    values = [GeMPooling(exponent)(maps) for exponent in (1.0, 2.0, 3.0, 10.0, 100.0, 1000.0)]
    for smaller, larger in itertools.pairwise(values):
        assert (smaller <= larger + 1e-6).all()
    assert torch.allclose(values[-1], largest, rtol=5e-3)


def test_mixed_runs_from_average_to_maximum() -> None:
    maps = _maps()
    assert torch.allclose(make_pooling("mixed", mixed_weight=0.0)(maps), make_pooling("average")(maps))
    assert torch.allclose(make_pooling("mixed", mixed_weight=1.0)(maps), make_pooling("max")(maps))


def test_gem_gradcheck() -> None:
    pooling = GeMPooling(2.5)
    maps = _maps().double().requires_grad_()
    # GeM computes in float32 whatever comes in, hence the coarse comparison
    assert torch.autograd.gradcheck(pooling, (maps,), eps=1e-2, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("value", [0.0, -5.0, 1e-20, 1e4])
@pytest.mark.parametrize("exponent", [1.0, 3.0, 8.0, 20.0])
def test_gem_of_a_constant_map_and_its_gradients_are_finite(exponent: float, value: float) -> None:
    pooling = GeMPooling(exponent)
    maps = torch.full((1, 2, 3, 3), value, requires_grad=True)
    pooled = pooling(maps)
    pooled.sum().backward()
    assert torch.allclose(pooled, torch.full((1, 2), max(value, 1e-6)))
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()
    assert pooling.exponent.grad is not None
    assert torch.isfinite(pooling.exponent.grad)


def test_gem_learns_its_exponent() -> None:
    pooling = GeMPooling(3.0)
    pooling(_maps()).sum().backward()
    assert pooling.exponent.grad is not None
    assert pooling.exponent.grad > 0  # a larger exponent moves the mean up


@pytest.mark.parametrize("name", POOLINGS)
def test_half_precision_is_pooled_in_float32(name: str) -> None:
    maps = _maps().bfloat16()
    pooled = make_pooling(name)(maps)
    assert pooled.dtype == torch.float32
    assert pooled.shape == (2, 3)
    assert torch.equal(pooled, make_pooling(name)(maps.float()))


def test_errors() -> None:
    with pytest.raises(
        ValueError, match="unknown pooling 'median': expected one of average, max, mixed, gem"
    ):
        make_pooling("median")
    with pytest.raises(ValueError, match=r"the weight of max pooling must lie in \[0, 1\], got 1.5"):
        make_pooling("mixed", mixed_weight=1.5)
    with pytest.raises(ValueError, match="the exponent of GeM pooling must be positive, got 0"):
        make_pooling("gem", gem_exponent=0.0)
