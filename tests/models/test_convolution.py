from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reid_gl.models.convolution import (
    SmallMapConv2d,
    _SmallMapConvolution,
    use_small_map_convolutions,
)

CASES = [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), (5, 2, 2)]


@pytest.mark.parametrize(("size", "stride", "padding"), CASES)
@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (8, 4)])
def test_output_and_gradients_are_those_of_torch(
    size: int, stride: int, padding: int, shape: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(size)
    maps = torch.randn(3, 4, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, size, size, generator=generator, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.conv2d(maps, weight, None, stride, padding)
    found = _SmallMapConvolution.apply(maps, weight, stride, padding)
    torch.testing.assert_close(found, expected)
    gradient = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for own, reference in zip(
        torch.autograd.grad(found, (maps, weight), gradient),
        torch.autograd.grad(expected, (maps, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(own, reference)


def test_gradcheck() -> None:
    maps = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: _SmallMapConvolution.apply(a, b, 2, 1), (maps, weight))


def test_under_autocast_it_trains_like_the_plain_layer_up_to_bfloat16() -> None:
    plain = nn.Conv2d(16, 32, 3, padding=1, bias=False)
    net = nn.Sequential(copy.deepcopy(plain))
    use_small_map_convolutions(net)
    maps = torch.randn(8, 16, 4, 2)
    for layer in (plain, net):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = layer(maps)
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
    own = net[0].weight.grad
    assert plain.weight.grad is not None
    torch.testing.assert_close(
        own, plain.weight.grad, rtol=0, atol=0.02 * float(plain.weight.grad.abs().max())
    )


def used(layer: nn.Module, maps: torch.Tensor, *, autocast: bool = True) -> bool:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        return "SmallMap" in type(layer(maps).grad_fn).__name__


def test_it_is_used_for_small_maps_in_training_under_autocast_only() -> None:
    layer = SmallMapConv2d(4, 4, 3, padding=1, bias=False)
    assert used(layer, torch.randn(2, 4, 8, 4))
    assert not used(layer, torch.randn(2, 4, 8, 5))
    assert not used(layer, torch.randn(2, 4, 8, 4), autocast=False)
    with torch.no_grad():
        assert not used(layer, torch.randn(2, 4, 8, 4))


def test_only_plain_layers_are_replaced_and_names_stay() -> None:
    net = nn.Sequential(
        nn.Conv2d(4, 4, 3, bias=False),
        nn.Conv2d(4, 4, 3, bias=True),
        nn.Conv2d(4, 4, 3, groups=2, bias=False),
        nn.Conv2d(4, 4, (3, 1), bias=False),
        nn.Conv2d(4, 4, 3, dilation=2, bias=False),
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}
    use_small_map_convolutions(net)
    assert [type(layer) is SmallMapConv2d for layer in net] == [True, False, False, False, False]
    assert {
        name: torch.equal(value, before[name]) for name, value in net.state_dict().items()
    } == dict.fromkeys(before, True)


def test_a_bias_is_added_where_bfloat16_would_be_wrong() -> None:
    layer = SmallMapConv2d(8, 8, 3, stride=2, padding=1).requires_grad_(False)
    maps = torch.randn(2, 8, 4, 2)
    expected = layer(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = layer.bfloat16()(maps)
    assert (rough.float() - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("size", [(4, 2), (8, 1), (3, 2), (16, 2)])
def test_maps_one_place_wide_are_right_under_bfloat16(size: tuple[int, int], is_training: bool) -> None:
    """Plain torch 2.15 with AMX returns noise there."""
    generator = torch.Generator().manual_seed(0)
    layer = SmallMapConv2d(128, 256, 3, stride=2, padding=1, bias=False).requires_grad_(is_training)
    maps = torch.randn(7, 128, *size, generator=generator).requires_grad_(is_training)
    expected = layer(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = layer(maps)
    assert rough.dtype == torch.bfloat16
    assert rough.shape == (7, 256, (size[0] + 1) // 2, 1)
    assert (rough.float() - expected).abs().max() < 0.02 * expected.abs().max()
    if is_training:
        gradients = [
            torch.autograd.grad(output.float().square().sum(), layer.weight)[0]
            for output in (rough, expected)
        ]
        assert (gradients[0] - gradients[1]).abs().max() < 0.02 * gradients[1].abs().max()
