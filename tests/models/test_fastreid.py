from __future__ import annotations

import re
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn

from reid_gl.models.backbones import make_backbone
from reid_gl.models.fastreid import NonLocalBlock, make_fastreid_backbone
from reid_gl.models.foreign import load_foreign
from tests.models.made_up_tensors import make_up
from tests.reference.slow_public_networks import non_local, slow_fastreid_resnest, slow_resnet

Tensors = dict[str, Tensor]
CHANNELS = {2: 512, 3: 1024}


def _images(height: int = 64, width: int = 32) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def _attention(blocks: dict[int, int]) -> Tensors:
    """Shapes of non-local blocks as fast-reid's have them: one inner channel."""
    tensors: Tensors = {}
    for stage, count in blocks.items():
        for place in range(count):
            block = NonLocalBlock(CHANNELS[stage], 1).state_dict()
            tensors |= {f"NL_{stage}.{place}.{key}": value for key, value in block.items()}
    return tensors


def _backbone(name: str, blocks: dict[int, int]) -> Tensors:
    with torch.device("meta"):
        shapes = {**make_backbone(name)[0].state_dict(), **_attention(blocks)}
    tensors = make_up(shapes)
    for key, value in tensors.items():
        if key.startswith("NL_") and value.ndim == 4:
            value *= 0.01  # products of three maps must stay finite
    return tensors


def _save(path: Path, backbone: Tensors, *, exponent: float | None = None) -> Tensors:
    """Write a file as fast-reid 1.x does; the tensors of its neck."""
    neck = make_up(
        {f"heads.bottleneck.0.{key}": value for key, value in nn.BatchNorm2d(2048).state_dict().items()}
    )
    tensors = {f"backbone.{key}": value for key, value in backbone.items()} | neck
    tensors["heads.weight"] = torch.zeros(751, 2048)
    if exponent is not None:
        tensors["heads.pool_layer.p"] = torch.tensor([exponent])
    torch.save({"model": tensors, "iteration": 3}, path)
    return neck


def _doubled(tensors: Tensors) -> Tensors:
    """In float64: the attention of made-up weights is so sharp that it magnifies float32's rounding."""
    return {name: value.double() for name, value in tensors.items()}


def _expected(maps: Tensor, neck: Tensors, exponent: float) -> Tensor:
    pooled = maps.clamp_min(1e-6).pow(exponent).mean(dim=(2, 3)).pow(1 / exponent)
    stored = (
        neck[f"heads.bottleneck.0.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    mean, var, weight, bias = stored
    return (pooled - mean) / (var + 1e-5).sqrt() * weight + bias


def _cosine(path: Path, expected: Tensor, architecture: str | None = None) -> float:
    loaded = load_foreign(path, architecture)
    assert loaded.report.missing == loaded.report.unexpected == ()
    with torch.inference_mode():
        loaded.net.backbone.double()
        found = getattr(loaded.net(_images().double()), loaded.feature).double()
    assert float((found - expected).norm() / expected.norm()) < 1e-5
    return float(torch.cosine_similarity(found, expected).min())


@pytest.mark.parametrize(
    ("name", "blocks", "stored", "exponent"),
    [
        ("resnet50_ibn_a", {2: 2, 3: 3}, 2.5, 2.5),  # sbs
        ("resnet50", {2: 2, 3: 3}, None, 3.0),  # agw, whose exponent is fixed
        ("resnet50", {}, None, 1.0),  # bot
    ],
)
def test_published_settings_give_the_features_written_out(
    name: str, blocks: dict[int, int], stored: float | None, exponent: float, tmp_path: Path
) -> None:
    backbone = _backbone(name, blocks)
    neck = _save(tmp_path / "net.pth", backbone, exponent=stored)
    with torch.inference_mode():
        maps = slow_resnet(_doubled(backbone), _images().double(), has_padded_stem=False)
        expected = _expected(maps, neck, exponent)
    assert _cosine(tmp_path / "net.pth", expected) > 0.99999


def test_bot_sorts_resnest_gives_the_features_written_out(tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = timm.create_model("resnest50d", num_classes=0).state_dict()
    backbone = make_up(shapes)
    neck = _save(tmp_path / "mot17_sbs_S50.pth", backbone, exponent=3.0)
    with torch.inference_mode():
        expected = _expected(slow_fastreid_resnest(_doubled(backbone), _images().double()), neck, 3.0)
    assert _cosine(tmp_path / "mot17_sbs_S50.pth", expected) > 0.99999
    loaded = load_foreign(tmp_path / "mot17_sbs_S50.pth")
    assert (loaded.architecture, loaded.height, loaded.width) == ("fastreid_sbs_resnest50", 384, 128)


def test_one_inner_channel_and_several(tmp_path: Path) -> None:
    block = NonLocalBlock(6, 2).eval()
    tensors = make_up({f"a.{key}": value for key, value in block.state_dict().items()})
    block.load_state_dict({key.removeprefix("a."): value for key, value in tensors.items()})
    maps = torch.randn(2, 6, 3, 5, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.allclose(block(maps), non_local(tensors, "a", maps), atol=1e-5)


def test_an_architecture_of_other_settings_is_refused(tmp_path: Path) -> None:
    _save(tmp_path / "net.pth", _backbone("resnet18", {}))
    with pytest.raises(
        ValueError, match="unknown settings 'best' of fast-reid: expected one of bot, agw, sbs"
    ):
        load_foreign(tmp_path / "net.pth", "fastreid_best_resnet18")
    with pytest.raises(ValueError, match=re.escape("got 'resnest9'")):
        load_foreign(tmp_path / "net.pth", "fastreid_sbs_resnest9")


def test_the_stem_of_the_first_releases_has_padding() -> None:
    padded = make_fastreid_backbone("resnet18", {}, has_padded_stem=True).maxpool
    later = make_fastreid_backbone("resnet18", {}, has_padded_stem=False).maxpool
    assert (padded.padding, padded.ceil_mode) == (1, False)
    assert (later.padding, later.ceil_mode) == (0, True)
