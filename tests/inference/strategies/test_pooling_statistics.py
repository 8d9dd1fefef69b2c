from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reid_gl.inference.strategies.pooling_statistics import (
    PoolingStatistics,
    SwitchedPooling,
    combine_statistics,
    parts_of,
    refusal,
    trained_mixing,
)
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from reid_gl.models import NetSettings, ReidNet
from reid_gl.models.backbones import residual_sum
from reid_gl.models.pooling import MixedPooling
from tests.reference.slow_inference import slow_feature

VALUES = (0.0, 0.3, 1.0)


def make_net(pooling: str = "average", *, seed: int = 0, **settings: Any) -> ReidNet:
    """A small network whose last map has places of both signs."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ReidNet(NetSettings("resnet18", 3, pooling=pooling, mixed_weight=0.3, **settings)).eval()


def images(seed: int = 0) -> Tensor:
    return torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(seed))


def test_agrees_with_the_definition_for_any_map() -> None:
    """What a network adds up in its last block, made by hand here: some channels negative throughout."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        maps = torch.randn(3, 5, 4, 2, generator=generator) + torch.randn(3, 5, 1, 1, generator=generator)
        statistics = torch.stack(parts_of(maps), dim=1)
        mixing, slope = (torch.rand((), generator=generator).item() for _ in range(2))
        for own_mixing in (0.0, mixing, 1.0):
            for own_slope in (0.0, slope, 1.0):
                expected = [slow_feature(one.tolist(), mixing=own_mixing, slope=own_slope) for one in maps]
                feature = combine_statistics(statistics, mixing=own_mixing, slope=own_slope)
                assert torch.allclose(feature, torch.tensor(expected), atol=1e-6)


@pytest.mark.parametrize("mixing", VALUES)
@pytest.mark.parametrize("slope", VALUES)
def test_the_switched_network_is_leaky_and_mixed(mixing: float, slope: float) -> None:
    net = make_net()
    with torch.inference_mode():
        feature = SwitchedPooling(net, InferenceSettings(mixing=mixing, slope=slope))(images())
        maps = residual_sum(net.backbone, images())
        expected = [slow_feature(one.tolist(), mixing=mixing, slope=slope) for one in maps]
    assert (maps.amax(dim=(2, 3)) < 0).any()  # else max pooling would not see the slope
    assert torch.allclose(feature, torch.tensor(expected), atol=1e-5)


@pytest.mark.parametrize("mixing", VALUES)
def test_without_a_slope_it_is_mixed_pooling_of_the_map(mixing: float) -> None:
    net = make_net()
    with torch.inference_mode():
        feature = SwitchedPooling(net, InferenceSettings(mixing=mixing))(images())
        assert torch.allclose(feature, MixedPooling(mixing)(net.backbone(images())), atol=1e-6)


@pytest.mark.parametrize(("pooling", "weight"), [("average", 0.0), ("max", 1.0), ("mixed", 0.3)])
def test_with_its_own_pooling_it_is_the_network(pooling: str, weight: float) -> None:
    net = make_net(pooling)
    assert trained_mixing(net) == weight
    with torch.inference_mode():
        statistics = PoolingStatistics(net)(images())
        own = combine_statistics(statistics, mixing=weight)
        assert torch.allclose(own, net(images()).before_neck, atol=1e-6)
        leaky = SwitchedPooling(net, InferenceSettings(slope=0.5))(images())
        assert torch.equal(leaky, combine_statistics(statistics, mixing=weight, slope=0.5))
    assert not torch.allclose(leaky, own, atol=1e-2)


def test_gem_is_kept_as_a_fifth_statistic() -> None:
    net = make_net("gem")
    assert trained_mixing(net) is None
    with torch.inference_mode():
        statistics = PoolingStatistics(net, keep_trained=True)(images())
        assert statistics.shape == (2, 5, 512)
        assert torch.allclose(combine_statistics(statistics, mixing=None), net(images()).before_neck)


def test_under_autocast_it_is_near_and_in_float32() -> None:
    net, inference = make_net(), InferenceSettings(mixing=0.5, slope=0.5)
    with torch.inference_mode():
        exact = SwitchedPooling(net, inference)(images())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = SwitchedPooling(net, inference)(images())
    assert (exact.dtype, rough.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(rough, exact)
    assert torch.nn.functional.cosine_similarity(rough, exact).min() > 0.98


def _gem() -> nn.Module:
    return make_net("gem")


def _osnet() -> nn.Module:
    net = make_net()
    net.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    return net


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (
            nn.Flatten,
            {"mixing": 0.5},
            "mixing and slope need a ReidNet, whose feature map is known, got Flatten",
        ),
        (_osnet, {"slope": 0.5}, "resnet18 has no ReLU after a last residual sum that could leak"),
        (_osnet, {"slope": 0.5, "mixing": 0.5}, "has no ReLU after a last residual sum"),
        (_gem, {"slope": 0.5}, "gem pooling is not defined for the negative numbers of a leaky ReLU"),
    ],
)
def test_refusals(make: Callable[[], nn.Module], settings: dict[str, float], message: str) -> None:
    assert message in refusal(make(), "before_neck", InferenceSettings(**settings))


def test_what_is_not_refused() -> None:
    flip = InferenceSettings(beta=0.1, flip=True)
    assert not refusal(nn.Flatten(), "before_neck", flip)
    assert not refusal(_osnet(), "before_neck", InferenceSettings(mixing=0.5))
    assert not refusal(_gem(), "before_neck", InferenceSettings(mixing=0.5, slope=0.5))
    assert not refusal(_gem(), "concatenated", PLAIN)
    assert "act on the feature before the neck" in refusal(_gem(), "after_neck", flip)
