from __future__ import annotations

import logging
import warnings

import pytest
import torch
from torch import Tensor, nn

from reid_gl.models import NetSettings, ReidNet
from reid_gl.models.backbones import import_torchreid_models
from reid_gl.models.fusion import fuse_convolutions


def _warm(net: nn.Module) -> nn.Module:
    """Statistics that are not 0 and 1."""
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(2):
            net.train()(torch.randn(4, 3, 64, 32))
    return net.eval()


@pytest.mark.parametrize(("backbone", "count"), [("resnet18", 20), ("resnet50", 53), ("osnet_x0_25", 0)])
def test_a_backbone_says_the_same_with_fewer_steps(backbone: str, count: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = _warm(ReidNet(NetSettings(backbone=backbone, num_classes=3)))
    images = torch.randn(3, 3, 64, 32)
    with torch.no_grad():
        expected = net(images).before_neck
        folded = fuse_convolutions(net.backbone)
        torch.testing.assert_close(net(images).before_neck, expected, rtol=1e-4, atol=1e-4)
    assert folded == count or (backbone.startswith("osnet") and folded > 20)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in net.backbone.modules())
    assert left == 0 or backbone.startswith("osnet")


def test_a_torchreid_network_as_a_whole() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = _warm(import_torchreid_models().build_model("osnet_x0_25", num_classes=3, pretrained=False))
    images = torch.randn(3, 3, 64, 32)
    with torch.no_grad():
        expected = net(images)
        assert fuse_convolutions(net) > 20
        torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-4)


class _Twice(nn.Module):
    """One convolution with two partners."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.first, self.second = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        return self.first(self.convolution(images)) + self.second(self.convolution(images))


class _Branching(nn.Module):
    """A network whose steps depend on the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.normalization = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.normalization(self.convolution(images))
        return maps if maps.sum() > 0 else -maps


def test_what_cannot_be_folded_stays(caplog: pytest.LogCaptureFixture) -> None:
    assert fuse_convolutions(_Twice().eval()) == 0
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        assert fuse_convolutions(_Branching().eval()) == 0
    assert "cannot be traced" in caplog.text
