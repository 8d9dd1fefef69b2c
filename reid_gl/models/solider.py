"""SOLIDER's Swin transformers: timm's layers, with maps that are scaled and shifted between the stages.

SOLIDER controls how much a feature says about parts of the body by a "semantic weight", a setting that is not
in its files. Two linear layers per stage turn it into a scale and a shift per channel. For one weight these
are constants, which the network below stores.
"""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_gl.models.state_names import Tensors
from reid_gl.models.timm_backbones import make_timm_swin

PREFIX = "solider_"
"""Beginning of the architectures."""
SWINS = {name: f"{name}_patch4_window7_224" for name in ("swin_tiny", "swin_small", "swin_base")}
"""SOLIDER's transformers, and timm's with the same tensors."""
SIZE = (384, 128)
SEMANTIC_WEIGHT = 0.2
"""Of all re-identification networks that the authors published."""
FIRST_TENSOR = "base.patch_embed.projection.weight"
SEMANTIC_TENSOR = "base.semantic_embed_w.0.weight"
RENAMED = (
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"^norm3\.", "norm."),
    (r"^stages\.", "layers."),
    (r"\.attn\.w_msa\.", ".attn."),
    (r"\.ffn\.layers\.0\.0\.", ".mlp.fc1."),
    (r"\.ffn\.layers\.1\.", ".mlp.fc2."),
)
"""Patterns in SOLIDER's names, and what stands there in timm's."""

_SEMANTIC = re.compile(r"base\.semantic_embed_([wb])\.([0-2])\.weight")
_MERGING = re.compile(r"^layers\.([0-2])\.downsample\.")


class SoliderSwin(nn.Module):
    """A Swin transformer of timm from images (N, 3, 384, 128) to features (N, D)."""

    def __init__(self, name: str) -> None:
        """Build one of SWINS with random weights; ImportError without timm."""
        super().__init__()
        self.swin = make_timm_swin(SWINS[name], SIZE)
        swin: Any = self.swin
        for stage in range(1, len(swin.layers)):
            width = swin.layers[stage].blocks[0].dim
            self.register_buffer(f"scale{stage}", torch.ones(width))
            self.register_buffer(f"shift{stage}", torch.zeros(width))

    def forward(self, images: Tensor) -> Tensor:
        """Compute the mean of the last map over its places."""
        swin: Any = self.swin
        maps = swin.patch_embed(images)  # (N, H, W, D)
        for number, stage in enumerate(swin.layers):
            maps = stage.downsample(maps)
            if number:
                maps = maps * getattr(self, f"scale{number}") + getattr(self, f"shift{number}")
            for block in stage.blocks:
                maps = maps + _attend(block, block.norm1(maps))
                maps = maps + block.mlp(block.norm2(maps))
        pooled: Tensor = swin.norm(maps).mean(dim=(1, 2))
        return pooled


def _attend(block: Any, maps: Tensor) -> Tensor:  # noqa: ANN401 - timm has no types
    """Attention in windows of maps (N, H, W, D), which are padded, then shifted; timm shifts them first."""
    height, width = maps.shape[1:3]
    rows, columns = block.window_size
    padded = F.pad(maps, (0, 0, 0, -width % columns, 0, -height % rows))
    shifted = torch.roll(padded, [-places for places in block.shift_size], (1, 2))
    windows = shifted.unflatten(2, (-1, columns)).unflatten(1, (-1, rows)).transpose(2, 3)
    tokens = windows.flatten(3, 4).flatten(0, 2)  # (windows, rows * columns, D)
    mixed = block.attn(tokens, mask=block.attn_mask).view(windows.shape)
    merged = mixed.transpose(2, 3).flatten(3, 4).flatten(1, 2)
    return torch.roll(merged, block.shift_size, (1, 2))[:, :height, :width]


def convert_solider(tensors: Tensors) -> Tensors:
    """Rename SOLIDER's tensors to those of SoliderSwin; those of other parts are left out.

    Its patches are merged in another order of channels, and what depends on the semantic weight becomes a
    scale and a shift.
    """
    converted = {}
    for name, value in tensors.items():
        semantic = _SEMANTIC.fullmatch(name)
        if semantic is not None and value.ndim == 2 and value.shape[1] == 2:
            kind, number = semantic.groups()
            constant = _constant(value, tensors.get(name.replace(".weight", ".bias")))
            part, constant = ("scale", F.softplus(constant)) if kind == "w" else ("shift", constant)
            converted[f"{part}{int(number) + 1}"] = constant
        elif name.startswith("base.") and not name.endswith("relative_position_index"):
            own = name.removeprefix("base.")
            for pattern, replacement in RENAMED:
                own = re.sub(pattern, replacement, own)
            merging = _MERGING.match(own)
            if merging is not None:  # timm merges at the beginning of the next stage
                own = f"layers.{int(merging[1]) + 1}.{own.split('.', 2)[2]}"
                value = _reordered(value) if value.ndim and value.shape[-1] % 4 == 0 else value
            converted[f"swin.{own}"] = value
    return {
        name: value for name, value in converted.items() if not re.match(r"swin\.(norm[0-2]|semantic)", name)
    }


def _constant(weight: Tensor, bias: Tensor | None) -> Tensor:
    """Apply a linear layer (D, 2) to the semantic weight and what is left to 1."""
    constant = weight.float() @ torch.tensor([SEMANTIC_WEIGHT, 1 - SEMANTIC_WEIGHT])
    return constant if bias is None or bias.shape != constant.shape else constant + bias.float()


def _reordered(value: Tensor) -> Tensor:
    """Reorder the last axis from channel, row, column of a 2 x 2 patch to column, row, channel."""
    split = value.unflatten(-1, (-1, 2, 2))
    reordered: Tensor = split.transpose(-3, -1).flatten(-3)
    return reordered
