from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from reid_gl.models.backbones import make_backbone
from reid_gl.models.public_weights import BOT_SORT, PUBLIC_WEIGHTS
from reid_gl.models.recognize import UnknownWeightsError, find_public, recognize
from tests.torchreid_quiet import import_torchreid_quietly

Tensors = dict[str, Tensor]
NECK = {"heads.bottleneck.0.weight": torch.zeros(2048), "heads.weight": torch.zeros(751, 2048)}
EXPONENT = {"heads.pool_layer.p": torch.tensor([3.0])}
TORCHREID = [known.architecture for known in PUBLIC_WEIGHTS if known.project == "torchreid"]
"""Only shapes count, so that networks are built without numbers."""


def _resnet(name: str, prefix: str) -> Tensors:
    with torch.device("meta"):
        tensors = make_backbone(name)[0].state_dict()
    return {f"{prefix}{key}": value for key, value in tensors.items()}


def _resnest(prefix: str = "backbone.") -> Tensors:
    with torch.device("meta"):
        tensors = timm.create_model("resnest50d", num_classes=0).state_dict()
    return {f"{prefix}{key}": value for key, value in tensors.items()}


def _attention(stage: int = 2, channels: int = 512) -> Tensors:
    return {f"backbone.NL_{stage}.0.g.weight": torch.zeros(1, channels, 1, 1)}


def _torchreid(name: str) -> Tensors:
    models: Any = import_torchreid_quietly("torchreid.reid.models")
    with torch.device("meta"):
        return dict(models.build_model(name, num_classes=751, pretrained=False, use_gpu=False).state_dict())


@pytest.mark.parametrize("name", TORCHREID)
def test_every_network_of_torchreids_zoo(name: str) -> None:
    known = recognize(_torchreid(name), "net.pth")
    assert (known.architecture, known.project) == (name, "torchreid")
    assert (known.height, known.width) == ((160, 64) if name == "hacnn" else (256, 128))


@pytest.mark.parametrize("backbone", ["resnet50", "resnet50_ibn_a", "resnet101_ibn_a"])
@pytest.mark.parametrize(
    ("recipe", "extra", "height"),
    [("bot", {}, 256), ("agw", _attention(), 256), ("sbs", {**_attention(), **EXPONENT}, 384)],
)
def test_settings_of_fastreid_by_their_layers(
    backbone: str, recipe: str, extra: Tensors, height: int
) -> None:
    known = recognize({**_resnet(backbone, "backbone."), **NECK, **extra}, "net.pth")
    assert known.architecture == f"fastreid_{recipe}_{backbone}"
    assert (known.height, known.width, known.kernel) == (height, 128, "antialiased_cubic")


def test_the_network_of_bot_sort() -> None:
    known = recognize({**_resnest(), **NECK, **EXPONENT}, "mot17_sbs_S50.pth")
    assert (known.architecture, known.height) == (BOT_SORT[0], 384)


def test_tensors_that_fit_two_networks_are_refused_with_both_names() -> None:
    message = (
        r"net\.pth fits 2 networks, fastreid_bot_resnest50 and fastreid_agw_resnest50, and its tensors "
        "do not say which: give the architecture"
    )
    with pytest.raises(ValueError, match=message):
        recognize({**_resnest(), **NECK}, "net.pth")
    headless = {key: value for key, value in _torchreid("resnet50").items() if "classifier" not in key}
    with pytest.raises(ValueError, match="fits 2 networks, resnet50 and timm:resnet50, and its tens"):
        recognize(headless, "net.pth")


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet50_ibn_a"])
def test_backbones_of_the_strong_baseline(name: str) -> None:
    tensors = {**_resnet(name, "base."), "bottleneck.weight": torch.zeros(2048)}
    known = recognize(tensors, "net.pth")
    assert (known.architecture, known.project) == (f"bagtricks_{name}", "reid-strong-baseline")
    assert (known.feature, known.kernel) == ("after_neck", "antialiased_linear")


def _transformer(width: int, depth: int) -> Tensors:
    blocks = {f"base.blocks.{place}.norm1.weight": torch.zeros(width) for place in range(depth)}
    return {"base.cls_token": torch.zeros(1, 1, width), **blocks}


def test_plain_transformers_of_transreid() -> None:
    known = recognize(_transformer(768, 12), "net.pth")
    assert (known.architecture, known.feature) == ("transreid_vit_base", "before_neck")
    assert known.colors == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert recognize(_transformer(384, 12), "net.pth").architecture == "transreid_deit_small"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"base.sie_embed": torch.zeros(6, 1, 768)},
            "is TransReID with an embedding of the camera, which",
        ),
        (
            {"b1.0.norm1.weight": torch.zeros(768)},
            "is TransReID with JPM, which is not supported: only",
        ),
    ],
)
def test_parts_of_transreid_that_are_not_supported(extra: Tensors, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recognize({**_transformer(768, 12), **extra}, "net.pth")


@pytest.mark.parametrize(("width", "depth", "name"), [(96, 6, "tiny"), (96, 18, "small"), (128, 18, "base")])
def test_soliders_swin_by_width_and_depth(width: int, depth: int, name: str) -> None:
    tensors = {f"base.stages.2.blocks.{place}.norm1.weight": torch.zeros(1) for place in range(depth)}
    tensors["base.patch_embed.projection.weight"] = torch.zeros(width, 3, 4, 4)
    with pytest.raises(ValueError, match="is SOLIDER's Swin transformer without its semantic layers, which"):
        recognize(tensors, "net.pth")
    tensors["base.semantic_embed_w.0.weight"] = torch.zeros(2 * width, 2)
    assert recognize(tensors, "net.pth").architecture == f"solider_swin_{name}"
    with pytest.raises(
        ValueError, match="is SOLIDER's Swin transformer with a smaller feature, which is not"
    ):
        recognize({**tensors, "fcneck.weight": torch.zeros(256, 768)}, "net.pth")


@pytest.mark.parametrize(
    "tensors",
    [
        {"conv1.weight": torch.zeros(1)},
        {"conv5.conv.weight": torch.zeros(64, 8, 1, 1)},
        {**_resnet("resnet50", "backbone."), **NECK, **EXPONENT},  # a pooling that no published one has
        {**_resnet("resnet50", "backbone."), **NECK, "backbone.layer1.0.se.fc.0.weight": torch.zeros(3)},
        _resnet("resnet50", "base."),  # without a neck
        _transformer(768, 8),
    ],
)
def test_others_are_unknown(tensors: Tensors) -> None:
    with pytest.raises(UnknownWeightsError, match=r"is not recognised, it has .*: give the architecture"):
        recognize(tensors, "net.pth")


def test_a_shape_of_another_width_is_not_taken_for_the_network() -> None:
    tensors = _torchreid("osnet_x0_25")
    tensors["conv1.conv.weight"] = torch.zeros(7, 3, 7, 7)
    with pytest.raises(UnknownWeightsError):
        recognize(tensors, "net.pth")


def test_every_architecture_is_listed_once() -> None:
    names = [known.architecture for known in PUBLIC_WEIGHTS]
    assert len(names) == len(set(names))
    assert find_public("hacnn").height == 160
    assert all(known.page.startswith("https://") and known.terms for known in PUBLIC_WEIGHTS)
