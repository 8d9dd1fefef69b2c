from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest
import torch
import torchvision.models
from torch import nn

from reid_gl.models import backbone_names, make_backbone
from reid_gl.models.backbones import (
    IBN_RESNETS,
    OSNETS,
    ends_in_residual_sum,
    import_torchreid_models,
    residual_sum,
)

TORCHREID_MODULES = ("torchreid", "torchreid.reid", "torchreid.reid.models", "torchreid.models")


@pytest.fixture(scope="module")
def torchreid_models() -> ModuleType:
    """torchreid's own networks; its import warns of things that are none of our business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("torchreid")
        return importlib.import_module("torchreid.reid.models")


def _images(num: int = 1) -> torch.Tensor:
    return torch.randn(num, 3, 64, 32, generator=torch.Generator().manual_seed(0))


def test_names_hold_every_resnet_of_torchvision() -> None:
    names = backbone_names()
    expected = {name for name in torchvision.models.list_models(module=torchvision.models) if "resne" in name}
    assert expected | set(IBN_RESNETS) | set(OSNETS) == set(names)
    assert {"resnet18", "resnet152", "resnext101_64x4d", "wide_resnet50_2", "osnet_x1_0"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("last_stride", [1, 2])
@pytest.mark.parametrize(
    ("name", "num_features"), [("resnet18", 512), ("resnet50", 2048), ("resnext50_32x4d", 2048)]
)
def test_resnets_end_at_a_16th_or_a_32nd(name: str, num_features: int, last_stride: int) -> None:
    backbone, width = make_backbone(name, last_stride=last_stride)
    with torch.inference_mode():
        maps = backbone.eval()(_images())
    assert width == num_features
    assert maps.shape == (1, num_features, 64 // (16 * last_stride), 32 // (16 * last_stride))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet_is_torchvisions_up_to_the_last_map(name: str) -> None:
    resnet = torchvision.models.get_model(name, weights=None).eval()
    backbone, _ = make_backbone(name, last_stride=2)
    own = {key: value for key, value in resnet.state_dict().items() if not key.startswith("fc.")}
    backbone.eval().load_state_dict(own)
    with torch.inference_mode():
        pooled = backbone(_images()).mean(dim=(2, 3))
        assert torch.allclose(resnet.fc(pooled), resnet(_images()), atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_last_stride_changes_no_weight(name: str) -> None:
    shapes = [
        {key: value.shape for key, value in make_backbone(name, last_stride=stride)[0].state_dict().items()}
        for stride in (1, 2)
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_residual_sum_is_the_map_before_its_last_relu(name: str) -> None:
    """The block's own layers, one by one: its other ReLUs stay what they are."""
    backbone = make_backbone(name)[0].eval()
    with torch.inference_mode():
        summed, maps = residual_sum(backbone, _images(2)), backbone(_images(2))
        *earlier, last_stage = backbone.children()
        given = nn.Sequential(*earlier, last_stage[:-1])(_images(2))
        block = last_stage[-1]
        inner = block.bn1(block.conv1(given)).relu()
        inner = block.bn2(block.conv2(inner))
        if name == "resnet50":
            inner = block.bn3(block.conv3(inner.relu()))
    assert torch.allclose(summed, inner + given, atol=1e-5)
    assert torch.equal(summed.relu(), maps)
    assert (summed < 0).any()


def test_looking_at_the_residual_sum_leaves_the_block_as_it_was() -> None:
    backbone = make_backbone("resnet18")[0].eval()
    relu = backbone.layer4[-1].relu
    residual_sum(backbone, _images())
    assert relu.inplace is True
    assert not relu._forward_pre_hooks
    with pytest.raises(RuntimeError):
        residual_sum(backbone, torch.zeros(1, 4, 64, 32))
    assert relu.inplace is True
    assert not relu._forward_pre_hooks


@pytest.mark.usefixtures("torchreid_models")
def test_osnet_has_no_residual_sum_and_no_negative_number_in_its_map() -> None:
    backbone = make_backbone("osnet_x0_25")[0].eval()
    assert not ends_in_residual_sum(backbone)
    assert ends_in_residual_sum(make_backbone("resnet18")[0])
    with torch.inference_mode():
        assert backbone(_images()).min() >= 0
    with pytest.raises(ValueError, match="the network does not end in a residual sum"):
        residual_sum(backbone, _images())


@pytest.mark.usefixtures("torchreid_models")
def test_osnet_ends_at_a_16th() -> None:
    backbone, width = make_backbone("osnet_x0_25")
    with torch.inference_mode():
        assert backbone.eval()(_images()).shape == (1, 128, 4, 2)
    assert width == 128


@pytest.mark.parametrize("name", ["osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x0_25"])
def test_osnet_gives_torchreids_own_feature_maps(name: str, torchreid_models: ModuleType) -> None:
    theirs = torchreid_models.build_model(name, num_classes=1, pretrained=False).eval()
    ours, _ = make_backbone(name)
    missing, unexpected = ours.eval().load_state_dict(theirs.state_dict(), strict=False)
    assert not missing
    assert all(key.startswith(("fc.", "classifier.")) for key in unexpected)
    with torch.inference_mode():
        assert torch.equal(ours(_images(2)), theirs.featuremaps(_images(2)))


@pytest.mark.parametrize("name", OSNETS)
def test_torchreid_knows_every_osnet(name: str, torchreid_models: ModuleType) -> None:
    assert name in vars(torchreid_models)["__model_factory"]


def test_torchreid_in_the_layout_of_its_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = ModuleType("torchreid.models")
    monkeypatch.setitem(sys.modules, "torchreid", ModuleType("torchreid"))
    monkeypatch.setitem(sys.modules, "torchreid.models", stub)
    monkeypatch.setitem(sys.modules, "torchreid.reid", None)
    monkeypatch.setitem(sys.modules, "torchreid.reid.models", None)
    assert import_torchreid_models() is stub


def test_missing_torchreid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHREID_MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ImportError, match=r"(?s)OSNet needs torchreid.*torchreid\.reid\.models: .*pip install"
    ):
        make_backbone("osnet_x1_0")
    assert isinstance(make_backbone("resnet18")[0], nn.Module)


def test_errors() -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown backbone 'resnet5'; the nearest one is 'resnet50': expected one of resnet18, ",
    ):
        make_backbone("resnet5")
    with pytest.raises(ValueError, match="unknown backbone 'qqq': expected one of resnet18, "):
        make_backbone("qqq")
    with pytest.raises(ValueError, match="last stride must be 1 or 2, got 4"):
        make_backbone("resnet18", last_stride=4)
    with pytest.raises(
        ValueError, match=r"osnet_x1_0 does not support last stride 2: set MODEL\.LAST_STRIDE 1"
    ):
        make_backbone("osnet_x1_0", last_stride=2)
