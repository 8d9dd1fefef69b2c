from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reid_gl.models import NetSettings, ReidNet, load_backbone_weights, make_backbone
from reid_gl.models.backbones import ends_in_residual_sum, residual_sum
from reid_gl.models.ibn import IBN, IMAGENET_FILES, NUM_BLOCKS, ibn_imagenet_tensors, make_ibn_resnet
from tests.reference.slow_public_networks import slow_resnet

SMALL = "resnet18_ibn_a"
DEEP = "resnet50_ibn_a"


def _images(num: int = 2) -> Tensor:
    return torch.randn(num, 3, 64, 32, generator=torch.Generator().manual_seed(0))


def _shaken(name: str, last_stride: int) -> torch.nn.Module:
    """A backbone in which no weight or statistic of a normalisation has the value it starts with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = make_backbone(name, last_stride=last_stride)[0].eval()
        for key, value in backbone.state_dict().items():
            if value.ndim == 1:
                value.copy_(torch.rand(value.shape) * 0.5 + (0.5 if "bias" not in key else -0.25))
    return backbone


@pytest.mark.parametrize(("name", "last_stride"), [(SMALL, 1), (SMALL, 2), (DEEP, 1)])
def test_agrees_with_the_forward_pass_written_out(name: str, last_stride: int) -> None:
    backbone = _shaken(name, last_stride).double()
    images = _images().double()
    with torch.inference_mode():
        maps = backbone(images)
        expected = slow_resnet(backbone.state_dict(), images, last_stride=last_stride)
    assert maps.shape[2:] == (64 // (16 * last_stride), 32 // (16 * last_stride))
    assert torch.allclose(maps, expected, rtol=1e-9, atol=1e-9)


def test_one_layer_by_hand() -> None:
    layer = IBN(4).eval()
    with torch.no_grad():
        layer.IN.bias.fill_(1.0)
        layer.BN.running_mean.fill_(10.0)  # type: ignore[union-attr, operator]
        maps = torch.tensor([1.0, 3.0, 5.0, 7.0])[None, :, None, None] + torch.tensor([0.0, 2.0])
        found = layer(maps)  # (1, 4, 1, 2)
    assert found[0, 0, 0].tolist() == pytest.approx([0.0, 2.0], abs=1e-4)  # -1 and 1 per image, plus the bias
    assert found[0, 1, 0].tolist() == pytest.approx([0.0, 2.0], abs=1e-4)
    assert found[0, 2, 0].tolist() == pytest.approx([-5.0, -3.0], abs=1e-3)  # stored mean 10, variance 1
    assert found[0, 3, 0].tolist() == pytest.approx([-3.0, -1.0], abs=1e-3)


def test_the_half_per_image_forgets_brightness_and_contrast_the_other_half_does_not() -> None:
    layer = IBN(8).eval()
    maps = torch.rand(2, 8, 6, 4, generator=torch.Generator().manual_seed(1)) * 9
    with torch.inference_mode():
        plain, changed = layer(maps), layer(3 * maps + 5)
    assert torch.allclose(plain[:, :4], changed[:, :4], atol=1e-4)
    assert not torch.allclose(plain[:, 4:], changed[:, 4:], atol=1e-1)


@pytest.mark.parametrize("name", [*NUM_BLOCKS])
def test_instance_norm_is_in_the_first_three_stages_only(name: str) -> None:
    with torch.device("meta"):
        names = make_ibn_resnet(name).state_dict()
    blocks = {stage: count for stage, count in enumerate(NUM_BLOCKS[name], start=1)}
    expected = {
        f"layer{stage}.{place}.bn1.IN.weight" for stage in (1, 2, 3) for place in range(blocks[stage])
    }
    assert {key for key in names if key.endswith("IN.weight")} == expected
    assert ("layer4.0.bn1.weight" in names) == (name != "resnet18_ibn_a_c4")
    assert "layer1.0.bn1.BN.running_mean" in names
    assert not [key for key in names if "IN.running" in key]


def test_shapes_of_the_public_files() -> None:
    """Written out from IBN-Net's own definitions: widths, and the 32 groups of a ResNeXt."""
    shapes = {}
    for name in (DEEP, "resnext101_ibn_a"):
        with torch.device("meta"):
            shapes[name] = {
                key: tuple(value.shape) for key, value in make_ibn_resnet(name).state_dict().items()
            }
    assert shapes[DEEP]["layer1.0.bn1.IN.weight"] == (32,)
    assert shapes[DEEP]["layer3.5.bn1.BN.running_var"] == (128,)
    assert shapes[DEEP]["layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    assert shapes["resnext101_ibn_a"]["layer1.0.bn1.IN.weight"] == (64,)
    assert shapes["resnext101_ibn_a"]["layer3.22.conv2.weight"] == (512, 16, 3, 3)


def test_it_trains_and_one_image_does_not_change_another_ones_instance_half() -> None:
    backbone = make_backbone(SMALL)[0].train()
    maps = backbone(_images(4))
    maps.square().mean().backward()
    gradients = {name: value.grad for name, value in backbone.named_parameters()}
    assert all(grad is not None and torch.isfinite(grad).all() for grad in gradients.values())
    assert ends_in_residual_sum(backbone)
    layer = IBN(4).train()
    maps = torch.rand(3, 4, 5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(layer(maps)[:1, :2], layer(maps[:1])[:, :2], atol=1e-6)


def test_a_map_keeps_its_half_precision() -> None:
    backbone = make_backbone(SMALL)[0].eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        short = backbone(_images())
    with torch.inference_mode():
        exact = backbone(_images())
    assert short.dtype == torch.bfloat16
    assert (short.float() - exact).norm() < 0.05 * exact.norm()


def test_imagenet_weights_are_the_authors_with_their_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    published = make_ibn_resnet(SMALL).state_dict()
    asked: list[tuple[str, dict[str, object]]] = []

    def download(url: str, **options: object) -> dict[str, Tensor]:
        asked.append((url, options))
        return published

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    net = ReidNet(NetSettings(SMALL, 3))
    assert load_backbone_weights(net, "imagenet") == len(net.backbone.state_dict())
    assert torch.equal(
        net.backbone.state_dict()["layer2.1.bn1.IN.weight"], published["layer2.1.bn1.IN.weight"]
    )
    assert asked[0][0].endswith("/XingangPan/IBN-Net/releases/download/v1.0/resnet18_ibn_a-2f571257.pth")
    assert asked[0][1] == {"map_location": "cpu", "check_hash": True, "weights_only": True}
    ibn_imagenet_tensors("resnet101_ibn_a")
    assert asked[1][0].endswith("resnet101_ibn_a-59ea0ac6.pth")


@pytest.mark.parametrize("file", IMAGENET_FILES.values())
def test_every_file_names_its_checksum(file: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]+-[0-9a-f]{8}\.pth", file)


def test_no_imagenet_weights_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, **_: object) -> Callable[[], None]:
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    net = ReidNet(NetSettings(SMALL, 3))
    with pytest.raises(
        ValueError, match=r"of resnet18_ibn_a cannot be downloaded \(network is unreachable\)"
    ):
        load_backbone_weights(net, "imagenet")
    with torch.device("meta"):
        deep = ReidNet(NetSettings("resnet152_ibn_a", 3))
    with pytest.raises(ValueError, match=r"no ImageNet weights for resnet152_ibn_a: set MODEL\.PRETRAINED"):
        load_backbone_weights(deep, "imagenet")


@pytest.mark.parametrize(("last_stride", "shape"), [(1, (2, 256, 8, 4)), (2, (2, 256, 4, 2))])
def test_c4_is_the_network_without_its_last_stage(last_stride: int, shape: tuple[int, ...]) -> None:
    whole = _shaken(SMALL, 1)
    short, num_features = make_backbone("resnet18_ibn_a_c4", last_stride=last_stride)
    unused = short.eval().load_state_dict(whole.state_dict(), strict=False)
    assert not unused.missing_keys
    assert {key.split(".")[0] for key in unused.unexpected_keys} == {"layer4"}
    with torch.inference_mode():
        maps = short(_images())
    assert (num_features, maps.shape) == (256, shape)
    if last_stride == 2:
        stages = dict(whole.named_children())
        del stages["layer4"]
        assert torch.equal(maps, torch.nn.Sequential(OrderedDict(stages))(_images()))
    assert torch.equal(residual_sum(short, _images()).relu(), short(_images()))
