"""Pooling: from a feature map (N, D, H, W) to one feature per image (N, D), in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

POOLINGS = ("average", "max", "mixed", "gem")


class AveragePooling(nn.Module):
    """Mean over all positions."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, D, H, W) to (N, D) float32."""
        return maps.float().mean(dim=(2, 3))


class MaxPooling(nn.Module):
    """Maximum over all positions."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, D, H, W) to (N, D) float32."""
        return maps.float().amax(dim=(2, 3))


class MixedPooling(nn.Module):
    """Weight * max + (1 - weight) * average.

    Source: Elezi et al., "The Group Loss++", TPAMI 2022, inference strategies.
    """

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__()
        if not 0 <= weight <= 1:
            raise ValueError(f"the weight of max pooling must lie in [0, 1], got {weight}")
        self.weight = weight

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, D, H, W) to (N, D) float32."""
        maps = maps.float()
        return self.weight * maps.amax(dim=(2, 3)) + (1 - self.weight) * maps.mean(dim=(2, 3))


class GeMPooling(nn.Module):
    """Generalised mean with a learned exponent: 1 gives the average, large exponents approach the maximum.

    Values below eps are replaced by eps, so the result and its gradient are finite for any map.

    Source: Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019.
    """

    def __init__(self, exponent: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        if exponent <= 0:
            raise ValueError(f"the exponent of GeM pooling must be positive, got {exponent}")
        self.exponent = nn.Parameter(torch.tensor(float(exponent)))
        self.eps = eps

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, D, H, W) to (N, D) float32."""
        maps = maps.float().clamp_min(self.eps)
        largest = maps.detach().amax(
            dim=(2, 3), keepdim=True
        )  # divide first, so powers cannot over- or underflow
        powers = (maps / largest).pow(self.exponent)
        return largest[:, :, 0, 0] * powers.mean(dim=(2, 3)).pow(1 / self.exponent)


def make_pooling(name: str, *, mixed_weight: float = 0.5, gem_exponent: float = 3.0) -> nn.Module:
    """Build a pooling layer by name.

    Args:
        name: one of POOLINGS.
        mixed_weight: weight of max pooling, for "mixed".
        gem_exponent: initial exponent, for "gem".

    Raises:
        ValueError: the name is unknown, or a setting is out of range.
    """
    if name == "average":
        return AveragePooling()
    if name == "max":
        return MaxPooling()
    if name == "mixed":
        return MixedPooling(mixed_weight)
    if name == "gem":
        return GeMPooling(gem_exponent)
    raise ValueError(f"unknown pooling {name!r}: expected one of {', '.join(POOLINGS)}")
