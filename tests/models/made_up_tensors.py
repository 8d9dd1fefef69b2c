"""Tensors of given names and shapes, as if trained: no statistic and no weight is 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def make_up(shapes: Mapping[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """Fill networks' tensors, which may be on the meta device, with numbers that keep a map's size."""
    random = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, like in shapes.items():
        if not like.is_floating_point():
            tensors[name] = torch.full(like.shape, 7)
        elif like.ndim < 2:
            tensors[name] = 0.5 + torch.rand(like.shape, generator=random)
        else:
            scale = (2 / like[0].numel()) ** 0.5
            tensors[name] = torch.randn(like.shape, generator=random) * scale
    return tensors
