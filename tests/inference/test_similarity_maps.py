from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_gl.inference import InferenceSettings, similarity_maps
from reid_gl.inference.strategies.apply import Strategies, apply_strategies
from reid_gl.models import NetSettings, ReidNet, load_net
from reid_gl.similarity import unit_rows
from tests.reference.slow_similarity_map import slow_pooling, slow_similarity_map
from tests.tiny_checkpoint import COLOURS, write_checkpoint

Numbers = NDArray[np.float64]


class Stripes(nn.Sequential):
    """Images (N, 3, 12, 8) to maps (N, 5, 3, 2)."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 5, 4, stride=4), nn.ReLU())


def make_net(**settings: Any) -> ReidNet:
    """A network whose neck has statistics of its own, in training mode."""
    torch.manual_seed(3)
    net = ReidNet(NetSettings("stripes", 4, **settings), Stripes())
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.1, 0.9)
            nn.init.uniform_(layer.weight, 0.5, 2)
    return net.train()


def images(count: int, size: tuple[int, int] = (12, 8)) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def head_of(net: ReidNet, feature: str, pool: Callable[[Numbers], Numbers]) -> Callable[[Numbers], Numbers]:
    """The rest of the network after the feature map, in float64 and without torch's gradients."""
    tensors = {name: value.double().numpy() for name, value in net.state_dict().items()}

    def feature_of(maps: Numbers) -> Numbers:
        row = pool(maps)
        if "projection.weight" in tensors:
            row = tensors["projection.weight"] @ row + tensors["projection.bias"]
        if feature == "before_neck":
            return row
        scale = tensors["neck.weight"] / np.sqrt(tensors["neck.running_var"] + 1e-5)
        after: Numbers = (row - tensors["neck.running_mean"]) * scale + tensors["neck.bias"]
        if feature == "concatenated":
            return np.concatenate([side / np.linalg.norm(side) for side in (row, after)])
        return after

    return feature_of


@pytest.mark.parametrize(
    ("pooling", "feature", "settings"),
    [
        ("average", "before_neck", {}),
        ("average", "after_neck", {"embedding_dim": 4}),
        ("max", "after_neck", {}),
        ("mixed", "concatenated", {"mixed_weight": 0.3}),
        ("gem", "after_neck", {"gem_exponent": 2.5}),
    ],
)
def test_agrees_with_differences_of_every_number_of_the_map(
    pooling: str, feature: str, settings: dict[str, Any]
) -> None:
    net = make_net(pooling=pooling, **settings)
    batch = images(4)
    found = similarity_maps(net, batch[0], batch[1:], feature=feature)
    with torch.no_grad():
        maps = net.backbone(batch).double().numpy()
    how = {"mixing": settings.get("mixed_weight", 0.5), "exponent": settings.get("gem_exponent", 3.0)}
    feature_of = head_of(net, feature, lambda one: slow_pooling(one, pooling, **how))
    for number in range(3):
        query, other = maps[0], maps[1 + number]
        expected = slow_similarity_map(query, feature_of(other), feature_of)
        np.testing.assert_allclose(found.on_query[number], expected, rtol=1e-3, atol=1e-6)
        expected = slow_similarity_map(other, feature_of(query), feature_of)
        np.testing.assert_allclose(found.on_others[number], expected, rtol=1e-3, atol=1e-6)
    assert found.on_others.max() > 1e-3


@pytest.mark.parametrize("mixing", [None, 0.6])
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_the_similarity_is_that_of_the_scored_features(
    mixing: float | None, slope: float, tiny: ReidNet
) -> None:
    inference = InferenceSettings(mixing=mixing, slope=slope, beta=0.01)
    batch = images(3, (64, 32))
    found = similarity_maps(tiny, batch[0], batch[1:], feature="before_neck", inference=inference)
    model = apply_strategies(tiny, Strategies("before_neck", inference), COLOURS).eval()
    with torch.no_grad():
        rows = unit_rows(model(batch))
    torch.testing.assert_close(found.similarities, rows[1:] @ rows[0], rtol=1e-4, atol=1e-5)
    assert found.on_query.shape == found.on_others.shape == (2, 4, 2)


def test_pooling_at_test_time_changes_the_maps_as_that_of_training_does(tiny: ReidNet) -> None:
    batch = images(2, (64, 32))
    mixed = InferenceSettings(mixing=1.0)
    at_test = similarity_maps(tiny, batch[0], batch[1:], feature="before_neck", inference=mixed)
    trained = ReidNet(NetSettings("resnet18", 7, pooling="max"))
    trained.load_state_dict(tiny.state_dict())
    expected = similarity_maps(trained, batch[0], batch[1:], feature="before_neck")
    torch.testing.assert_close(at_test.on_others, expected.on_others)
    plain = similarity_maps(tiny, batch[0], batch[1:], feature="before_neck")
    assert (plain.on_others - expected.on_others).abs().max() > 1e-4


def test_a_map_lies_where_both_images_have_the_same() -> None:
    """The images share a channel in one place each, and have others that the other image lacks."""
    net = ReidNet(NetSettings("identity", 4, neck="none"), nn.Identity())  # the image is the feature map
    query, other = torch.zeros(3, 4, 2), torch.zeros(3, 4, 2)
    query[0, 0, 0] = other[0, 3, 1] = 1.0
    query[1, 2, 0] = other[2, 1, 1] = 1.0
    found = similarity_maps(net, query, other[None], feature="before_neck")
    assert torch.nonzero(found.on_query[0]).tolist() == [[0, 0]]
    assert torch.nonzero(found.on_others[0]).tolist() == [[3, 1]]
    torch.testing.assert_close(found.similarities, torch.tensor([0.5]))


def test_equal_images_have_no_direction_to_become_more_similar() -> None:
    net = make_net()
    batch = images(1)
    found = similarity_maps(net, batch[0], batch)
    assert found.similarities.tolist() == pytest.approx([1.0])
    assert found.on_query.max() < 1e-4
    net = ReidNet(NetSettings("identity", 4, neck="none"), nn.Identity())
    blank = similarity_maps(net, 0 * batch[0], batch)  # whose feature is zero
    assert torch.isfinite(blank.on_query).all()
    assert torch.isfinite(blank.on_others).all()


def test_nothing_of_the_network_changes_and_callers_may_be_in_any_mode() -> None:
    net = make_net()
    net.pooling.eval()
    before = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    batch = images(3)
    found = similarity_maps(net, batch[0], batch[1:])
    with torch.inference_mode():
        within = similarity_maps(net, batch[0], batch[1:])
    torch.testing.assert_close(within.on_query, found.on_query)
    assert not found.on_query.requires_grad
    assert not found.similarities.requires_grad
    assert [module.training for module in net.modules()] == before
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_backbone_may_run_in_fewer_bits(tiny: ReidNet) -> None:
    batch = images(3, (64, 32))
    exact = similarity_maps(tiny, batch[0], batch[1:])
    fewer = similarity_maps(tiny, batch[0], batch[1:], precision="bfloat16")
    assert fewer.on_others.dtype == torch.float32
    assert not torch.equal(fewer.on_others, exact.on_others)
    torch.testing.assert_close(fewer.similarities, exact.similarities, atol=0.05, rtol=0)


@pytest.mark.parametrize("backbone", ["timm:test_efficientnet", "osnet_x0_25", "resnet18_ibn_a"])
def test_any_backbone_has_maps(backbone: str) -> None:
    if not backbone.startswith("resnet"):
        pytest.importorskip("timm" if backbone.startswith("timm:") else "torchreid")
    torch.manual_seed(0)
    net = ReidNet(NetSettings(backbone, 3))
    batch = images(3, (64, 32))
    found = similarity_maps(net, batch[0], batch[1:], feature="before_neck")
    with torch.no_grad():
        height, width = net.eval().backbone(batch).shape[2:]
    assert found.on_others.shape == (2, height, width)
    assert found.on_others.amax(dim=(1, 2)).min() > 0


def test_a_network_without_a_gradient_and_settings_that_do_not_apply() -> None:
    batch, leaky = images(2), InferenceSettings(slope=0.5)
    with pytest.raises(ValueError, match=r"at the last feature map of a ReidNet, got Identity: exported net"):
        similarity_maps(nn.Identity(), batch[0], batch[1:])
    with pytest.raises(ValueError, match=r"mixing, slope and beta act on the feature before the neck"):
        similarity_maps(make_net(), batch[0], batch[1:], inference=InferenceSettings(mixing=0.5))
    with pytest.raises(ValueError, match=r"stripes has no ReLU after a last residual sum"):
        similarity_maps(make_net(), batch[0], batch[1:], feature="before_neck", inference=leaky)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ReidNet:
    """A ResNet-18 with average pooling."""
    net = load_net(write_checkpoint(tmp_path_factory.mktemp("maps") / "net.ckpt")).net
    assert isinstance(net, ReidNet)
    return net
