from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from reid_gl.models.foreign import load_foreign
from reid_gl.models.solider import SEMANTIC_WEIGHT, SIZE, SoliderSwin, convert_solider
from tests.models.made_up_tensors import make_up
from tests.reference.slow_public_networks import slow_solider_swin

HEADS = (3, 6, 12, 24)
"""Of swin_tiny."""

pytest.importorskip("timm")


def solider_tensors(width: int = 96, depths: tuple[int, ...] = (2, 2, 6, 2)) -> dict[str, Tensor]:
    """Tensors of a file of SOLIDER, without "base."."""
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embed.projection.weight": (width, 3, 4, 4),
        "patch_embed.projection.bias": (width,),
        **{f"patch_embed.norm.{part}": (width,) for part in ("weight", "bias")},
    }
    for stage, (depth, num_heads) in enumerate(zip(depths, HEADS, strict=True)):
        size = width * 2**stage
        following = width * 2 ** min(stage + 1, 3)
        for block in (f"stages.{stage}.blocks.{place}" for place in range(depth)):
            layers = {"attn.w_msa.qkv": (3 * size, size), "attn.w_msa.proj": (size, size)}
            layers |= {"ffn.layers.0.0": (4 * size, size), "ffn.layers.1": (size, 4 * size)}
            for name, shape in layers.items():
                shapes |= {f"{block}.{name}.weight": shape, f"{block}.{name}.bias": shape[:1]}
            shapes |= {
                f"{block}.{norm}.{part}": (size,)
                for norm in ("norm1", "norm2")
                for part in ("weight", "bias")
            }
            shapes[f"{block}.attn.w_msa.relative_position_bias_table"] = (169, num_heads)
        if stage < 3:
            shapes[f"stages.{stage}.downsample.reduction.weight"] = (2 * size, 4 * size)
            shapes |= {f"stages.{stage}.downsample.norm.{part}": (4 * size,) for part in ("weight", "bias")}
        for name in ("semantic_embed_w", "semantic_embed_b"):
            shapes |= {f"{name}.{stage}.weight": (following, 2), f"{name}.{stage}.bias": (following,)}
        shapes |= {f"norm{stage}.{part}": (size,) for part in ("weight", "bias")}
    return make_up({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})


def in_file(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    index = {
        "base.stages.0.blocks.0.attn.w_msa.relative_position_index": torch.zeros(49, 49, dtype=torch.long)
    }
    others = {"bottleneck.weight": torch.ones(768), "classifier.weight": torch.ones(5, 768)}
    return {**{f"base.{name}": value for name, value in tensors.items()}, **index, **others}


def test_a_file_of_solider_is_recognised_and_computes_its_features(tmp_path: Path) -> None:
    tensors = solider_tensors()
    torch.save(in_file(tensors), tmp_path / "net.pth")
    loaded = load_foreign(tmp_path / "net.pth")
    assert (loaded.architecture, loaded.height, loaded.width) == ("solider_swin_tiny", *SIZE)
    assert (loaded.feature, loaded.mean, loaded.std) == ("before_neck", (0.5,) * 3, (0.5,) * 3)
    assert (loaded.report.missing, loaded.report.unexpected) == ((), ())
    images = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = slow_solider_swin(tensors, images, HEADS, SEMANTIC_WEIGHT)
        assert float((loaded.net(images) - expected).norm() / expected.norm()) < 1e-4
        other = slow_solider_swin(tensors, images, HEADS, 1.0)
    assert float((other - expected).norm() / expected.norm()) > 1e-3  # the semantic weight matters


def test_other_names_and_networks(tmp_path: Path) -> None:
    torch.save(in_file(solider_tensors()), tmp_path / "net.pth")
    with pytest.raises(
        ValueError, match=r"has the names of SOLIDER, of which solider_swin_tiny, .* got 'osnet_x1_0'"
    ):
        load_foreign(tmp_path / "net.pth", "osnet_x1_0")
    with pytest.raises(ValueError, match=r"of the network are filled.*it was made for another architecture"):
        load_foreign(tmp_path / "net.pth", "solider_swin_base")


def test_tensors_of_other_shapes_fit_nothing() -> None:
    wanted = SoliderSwin("swin_tiny").state_dict()
    broken = {
        "base.semantic_embed_w.0.weight": torch.zeros(7, 3),
        "base.semantic_embed_b.1.weight": torch.zeros(5),
        "base.stages.0.downsample.norm.weight": torch.tensor(1.0),
        "other": torch.zeros(1),
    }
    found = convert_solider(broken)
    assert not [name for name, value in found.items() if name in wanted and wanted[name].shape == value.shape]
