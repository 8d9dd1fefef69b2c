"""A network with a backbone of the caller's own: Python opens it, commands say that they cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_gl import FeatureExtractor
from reid_gl.config import load_config
from reid_gl.experiment.comparing.pair_weights import run_pair_weights
from reid_gl.experiment.export import run_export
from reid_gl.experiment.score import run_tests
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.extractor.runtime import TorchRuntime
from reid_gl.models import NetSettings, ReidNet, load_net
from reid_gl.models.backbones import feature_map_width
from tests.tiny_checkpoint import COLOURS, coloured_crops, write_checkpoint


class Mine(nn.Module):
    """Three layers, one of which changes its weights as it runs and one whose weights are read elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 8, 3, stride=2))
        self.first_norm, self.second_norm = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first_norm(self.first(images)).relu()
        return self.second_norm(self.second(maps)) + self.second.weight.mean()


@pytest.fixture(scope="module")
def net() -> ReidNet:
    torch.manual_seed(0)
    net = ReidNet(NetSettings("mine", 7), Mine())
    with torch.no_grad():
        for _ in range(3):
            net.train()(torch.randn(8, 3, 64, 32))
    return net.eval()


@pytest.fixture(scope="module")
def weights(net: ReidNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "mine.ckpt"
    return write_checkpoint(path, net=net.settings.to_dict(), model=net.state_dict())


def test_the_extractor_gives_the_networks_own_features(net: ReidNet, weights: Path) -> None:
    given = Mine()
    before = {name: value.clone() for name, value in given.state_dict().items()}
    extractor = FeatureExtractor(
        weights, backbone=given, device="cpu", precision="float32", color_order="rgb"
    )
    crops = coloured_crops(3, size=(64, 32))
    with torch.inference_mode():
        images = COLOURS.normalize(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2))
        expected = nn.functional.normalize(net(images).after_neck)
    np.testing.assert_allclose(extractor(crops), expected.numpy(), atol=1e-5)
    assert given.training  # the caller's network is as it was
    assert all(torch.equal(value, before[name]) for name, value in given.state_dict().items())


def test_another_network_than_it_was_trained_with(weights: Path) -> None:
    with pytest.raises(
        ValueError, match=r"does not fit the network in \d+ places .* another backbone"
    ) as caught:
        FeatureExtractor(weights, backbone=nn.Conv2d(3, 8, 3))
    assert "architecture" not in str(caught.value)


def test_where_there_is_no_place_for_a_backbone(net: ReidNet, weights: Path) -> None:
    exported = weights.with_suffix(".onnx")
    exported.write_bytes(b"onnx")
    for path in (weights, exported):
        with pytest.raises(ValueError, match="backbone is for a reid_gl checkpoint of a network of your own"):
            FeatureExtractor(path, backbone=Mine(), architecture="resnet50")
    with pytest.raises(ValueError, match="backbone is for a checkpoint, but a runtime was given"):
        FeatureExtractor(TorchRuntime(net, COLOURS, device="cpu"), backbone=Mine())


@pytest.mark.parametrize(
    "command",
    [
        lambda config, weights: run_tests(config),
        lambda config, weights: run_pair_weights(config, ["triplet"], weights.with_suffix(".png")),
        lambda config, weights: run_export(weights, ExportSettings(format="torchscript")),
        lambda config, weights: FeatureExtractor(weights),
        lambda config, weights: load_net(weights),
    ],
)
def test_commands_say_that_only_python_opens_it_and_how(
    command: Callable[[Any, Path], object], weights: Path
) -> None:
    with pytest.raises(ValueError, match=r"unknown backbone 'mine'; .* commands cannot open it") as caught:
        command(load_config(None, ["MODEL.WEIGHTS", str(weights)]), weights)
    assert "architecture" not in str(caught.value)
    call = re.search(r"FeatureExtractor\(.*?\)", str(caught.value))
    assert call is not None
    extractor = eval(call[0], {"FeatureExtractor": FeatureExtractor, "net": Mine()})
    assert extractor.embedding_dim == 8


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_backbone_is_tried_in_its_own_number_format(dtype: torch.dtype) -> None:
    assert feature_map_width(nn.Conv2d(3, 6, 3).to(dtype)) == 6


def test_a_backbone_is_tried_where_it_is() -> None:
    assert feature_map_width(nn.Conv2d(3, 6, 3, device="meta")) == 6


class Breaks(nn.Module):
    """A network that does not take the image."""

    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("no such size")


def test_modes_are_restored_after_an_error() -> None:
    backbone = nn.Sequential(nn.BatchNorm2d(3).eval(), Breaks())
    with pytest.raises(RuntimeError, match="no such size"):
        feature_map_width(backbone)
    assert backbone.training
    assert not backbone[0].training
