"""Forward passes of public networks in evaluation, operation by operation, from their tensors' names."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]


def batch_norm(tensors: Tensors, name: str, maps: Tensor) -> Tensor:
    stored = [tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    shape = (-1, *[1] * (maps.ndim - 2))
    mean, var, weight, bias = (each.reshape(shape) for each in stored)
    return (maps - mean) / (var + 1e-5).sqrt() * weight + bias


def instance_norm(tensors: Tensors, name: str, maps: Tensor) -> Tensor:
    mean = maps.mean(dim=(2, 3), keepdim=True)
    var = ((maps - mean) ** 2).mean(dim=(2, 3), keepdim=True)
    weight, bias = (tensors[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
    return (maps - mean) / (var + 1e-5).sqrt() * weight + bias


def first_norm(tensors: Tensors, block: str, maps: Tensor) -> Tensor:
    """Batch normalisation, or IBN: the first half of the channels per image."""
    if f"{block}.bn1.IN.weight" not in tensors:
        return batch_norm(tensors, f"{block}.bn1", maps)
    half = maps.shape[1] // 2
    per_image = instance_norm(tensors, f"{block}.bn1.IN", maps[:, :half])
    return torch.cat([per_image, batch_norm(tensors, f"{block}.bn1.BN", maps[:, half:])], dim=1)


def resnet_block(tensors: Tensors, block: str, maps: Tensor, stride: int) -> Tensor:
    strides = (1, stride, 1) if f"{block}.conv3.weight" in tensors else (stride, 1)
    out = maps
    for place, step in enumerate(strides, start=1):
        weight = tensors[f"{block}.conv{place}.weight"]
        out = F.conv2d(out, weight, stride=step, padding=weight.shape[2] // 2)
        normalize = first_norm(tensors, block, out) if place == 1 else None
        out = batch_norm(tensors, f"{block}.bn{place}", out) if normalize is None else normalize
        out = out.relu() if place < len(strides) else out
    if f"{block}.downsample.0.weight" in tensors:
        maps = F.conv2d(maps, tensors[f"{block}.downsample.0.weight"], stride=stride)
        maps = batch_norm(tensors, f"{block}.downsample.1", maps)
    return (out + maps).relu()


def non_local(tensors: Tensors, name: str, maps: Tensor) -> Tensor:
    """For every place: add the values of all places, weighted by the dot product of query and key."""
    values, queries, keys = (
        F.conv2d(maps, tensors[f"{name}.{part}.weight"], tensors[f"{name}.{part}.bias"])
        for part in ("g", "theta", "phi")
    )
    height, width = maps.shape[2:]
    mixed = torch.zeros_like(values)
    for row in range(height):
        for column in range(width):
            query = queries[:, :, row, column]
            weights = (query[:, :, None, None] * keys).sum(dim=1, keepdim=True) / (height * width)
            mixed[:, :, row, column] = (weights * values).sum(dim=(2, 3))
    added = F.conv2d(mixed, tensors[f"{name}.W.0.weight"], tensors[f"{name}.W.0.bias"])
    return maps + batch_norm(tensors, f"{name}.W.1", added)


def num_blocks(tensors: Tensors, stage: int) -> int:
    found = (re.match(rf"layer{stage}\.(\d+)\.", name) for name in tensors)
    return 1 + max(int(each[1]) for each in found if each)


def slow_resnet(
    tensors: Tensors,
    images: Tensor,
    *,
    last_stride: int = 1,
    has_stem_relu: bool = True,
    has_padded_stem: bool = True,
) -> Tensor:
    """ResNet to its last map, with IBN and fast-reid's non-local blocks if the tensors have them."""
    maps = batch_norm(tensors, "bn1", F.conv2d(images, tensors["conv1.weight"], stride=2, padding=3))
    maps = maps.relu() if has_stem_relu else maps
    pool = {"padding": 1} if has_padded_stem else {"ceil_mode": True}
    maps = F.max_pool2d(maps, 3, stride=2, **pool)  # type: ignore[arg-type]
    for stage in (1, 2, 3, 4):
        blocks = num_blocks(tensors, stage)
        extra = len({name.split(".")[1] for name in tensors if name.startswith(f"NL_{stage}.")})
        for place in range(blocks):
            stride = {1: 1, 4: last_stride}.get(stage, 2) if place == 0 else 1
            maps = resnet_block(tensors, f"layer{stage}.{place}", maps, stride)
            if place >= blocks - extra:
                maps = non_local(tensors, f"NL_{stage}.{place - blocks + extra}", maps)
    return maps


def split_attention(tensors: Tensors, name: str, maps: Tensor, dilation: int) -> Tensor:
    """Two convolutions of groups, mixed by weights that sum to one for every channel."""
    out = F.conv2d(maps, tensors[f"{name}.conv.weight"], padding=dilation, dilation=dilation, groups=2)
    out = batch_norm(tensors, f"{name}.bn0", out).relu()
    first, second = out.chunk(2, dim=1)
    gap = (first + second).mean(dim=(2, 3), keepdim=True)
    gap = F.conv2d(gap, tensors[f"{name}.fc1.weight"], tensors[f"{name}.fc1.bias"])
    gap = batch_norm(tensors, f"{name}.bn1", gap).relu()
    scores = F.conv2d(gap, tensors[f"{name}.fc2.weight"], tensors[f"{name}.fc2.bias"])
    one, two = torch.stack(scores.chunk(2, dim=1)).softmax(dim=0)
    return one * first + two * second


def slow_fastreid_resnest(tensors: Tensors, images: Tensor) -> Tensor:
    """ResNeSt-50 as fast-reid builds it with last stride 1, to its last map.

    The first block of stages 2 to 4 averages 3 x 3 places after its split attention, in stage 4 without a
    stride; the other blocks of stage 4 are dilated by 2; shortcuts of stages 2 and 3 average 2 x 2 places.
    """
    maps = images
    for layer, stride in (("conv1.0", 2), ("conv1.3", 1), ("conv1.6", 1)):
        maps = F.conv2d(maps, tensors[f"{layer}.weight"], stride=stride, padding=1)
        norm = "bn1" if layer == "conv1.6" else f"conv1.{int(layer[-1]) + 1}"
        maps = batch_norm(tensors, norm, maps).relu()
    maps = F.max_pool2d(maps, 3, stride=2, padding=1)
    for stage in (1, 2, 3, 4):
        stride = {1: 1, 4: 1}.get(stage, 2)
        for place in range(num_blocks(tensors, stage)):
            block = f"layer{stage}.{place}"
            out = batch_norm(tensors, f"{block}.bn1", F.conv2d(maps, tensors[f"{block}.conv1.weight"])).relu()
            dilation = 2 if stage == 4 and place > 0 else 1
            out = split_attention(tensors, f"{block}.conv2", out, dilation)
            if place == 0 and stage > 1:
                out = F.avg_pool2d(out, 3, stride=stride, padding=1)
            out = batch_norm(tensors, f"{block}.bn3", F.conv2d(out, tensors[f"{block}.conv3.weight"]))
            if place == 0:
                if stride == 2:
                    maps = F.avg_pool2d(maps, 2, stride=2, ceil_mode=True, count_include_pad=False)
                maps = F.conv2d(maps, tensors[f"{block}.downsample.1.weight"])
                maps = batch_norm(tensors, f"{block}.downsample.2", maps)
            maps = (out + maps).relu()
    return maps


def layer_norm(tensors: Tensors, name: str, tokens: Tensor) -> Tensor:
    mean = tokens.mean(dim=-1, keepdim=True)
    var = ((tokens - mean) ** 2).mean(dim=-1, keepdim=True)
    return (tokens - mean) / (var + 1e-6).sqrt() * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def slow_transformer(tensors: Tensors, images: Tensor, num_heads: int) -> Tensor:
    """A vision transformer with patches of 16 x 16, to its class token after the last normalisation."""
    patches = F.conv2d(
        images, tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"], stride=16
    )
    tokens = patches.flatten(2).transpose(1, 2)  # (N, places, D)
    tokens = (
        torch.cat([tensors["cls_token"].expand(len(images), 1, -1), tokens], dim=1) + tensors["pos_embed"]
    )

    def linear(name: str, rows: Tensor) -> Tensor:
        return rows @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    for place in range(len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})):
        block = f"blocks.{place}"
        parts = linear(f"{block}.attn.qkv", layer_norm(tensors, f"{block}.norm1", tokens)).chunk(3, dim=-1)
        heads = []
        for query, key, value in zip(*(part.chunk(num_heads, dim=-1) for part in parts), strict=True):
            scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
            heads.append(scores.softmax(dim=-1) @ value)
        tokens = tokens + linear(f"{block}.attn.proj", torch.cat(heads, dim=-1))
        hidden = F.gelu(linear(f"{block}.mlp.fc1", layer_norm(tensors, f"{block}.norm2", tokens)))
        tokens = tokens + linear(f"{block}.mlp.fc2", hidden)
    return layer_norm(tensors, "norm", tokens)[:, 0]


def slow_solider_swin(tensors: Tensors, images: Tensor, heads: tuple[int, ...], semantic: float) -> Tensor:
    """SOLIDER's Swin transformer, one window at a time, by the names of its file without "base."."""

    def linear(name: str, rows: Tensor) -> Tensor:
        return rows @ tensors[f"{name}.weight"].T + tensors.get(f"{name}.bias", torch.zeros(()))

    def norm(name: str, rows: Tensor) -> Tensor:
        spread = ((rows - rows.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
        unit = (rows - rows.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt()
        return unit * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    patch = tensors["patch_embed.projection.weight"]
    maps = F.conv2d(images, patch, tensors["patch_embed.projection.bias"], stride=4).permute(0, 2, 3, 1)
    maps = norm("patch_embed.norm", maps)
    control = torch.tensor([semantic, 1 - semantic])
    for stage, num_heads in enumerate(heads):
        for place in range(
            sum(f"stages.{stage}.blocks.{other}.norm1.weight" in tensors for other in range(99))
        ):
            block = f"stages.{stage}.blocks.{place}"
            shift = 3 if place % 2 else 0
            rows = norm(f"{block}.norm1", maps)
            maps = maps + swin_attention(tensors, f"{block}.attn.w_msa", linear, rows, num_heads, shift)
            hidden = linear(f"{block}.ffn.layers.0.0", norm(f"{block}.norm2", maps))
            maps = maps + linear(f"{block}.ffn.layers.1", F.gelu(hidden))
        if stage < len(heads) - 1:
            merging = f"stages.{stage}.downsample"
            corners = [maps[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
            merged = torch.stack(corners, dim=-1).flatten(3)  # channel, then corner
            maps = linear(f"{merging}.reduction", norm(f"{merging}.norm", merged))
            scale = F.softplus(linear(f"semantic_embed_w.{stage}", control))
            maps = maps * scale + linear(f"semantic_embed_b.{stage}", control)
    return norm("norm3", maps).mean(dim=(1, 2))


def swin_attention(
    tensors: Tensors,
    name: str,
    linear: Callable[[str, Tensor], Tensor],
    maps: Tensor,
    num_heads: int,
    shift: int,
    window: int = 7,
) -> Tensor:
    """Attention within windows of a map (N, H, W, D), padded by zeros, whose origin is moved by `shift`."""
    count, height, width, depth = maps.shape
    rows, columns = -(-height // window) * window, -(-width // window) * window
    padded = torch.zeros(count, rows, columns, depth)
    padded[:, :height, :width] = maps
    moved = torch.roll(padded, (-shift, -shift), (1, 2))

    def region(place: int, size: int) -> int:
        """Which part of the image a place of the moved map is from: places of two parts are no neighbours."""
        return 0 if not shift else (place >= size - window) + (place >= size - shift)

    result = torch.zeros_like(moved)
    for top in range(0, rows, window):
        for left in range(0, columns, window):
            tokens = moved[:, top : top + window, left : left + window].reshape(count, window**2, depth)
            parts = linear(f"{name}.qkv", tokens).reshape(count, window**2, 3, num_heads, -1)
            queries, keys, values = (parts[:, :, part].transpose(1, 2) for part in range(3))
            scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5
            places = [(y, x) for y in range(window) for x in range(window)]
            offsets = [
                [(y - v + window - 1) * (2 * window - 1) + x - u + window - 1 for v, u in places]
                for y, x in places
            ]
            scores = scores + tensors[f"{name}.relative_position_bias_table"][offsets].permute(2, 0, 1)
            regions = [(region(top + y, rows), region(left + x, columns)) for y, x in places]
            apart = torch.tensor([[one != other for other in regions] for one in regions])
            mixed = (scores - 100.0 * apart).softmax(dim=-1) @ values
            mixed = mixed.transpose(1, 2).reshape(count, window, window, depth)
            result[:, top : top + window, left : left + window] = linear(f"{name}.proj", mixed)
    return torch.roll(result, (shift, shift), (1, 2))[:, :height, :width]
