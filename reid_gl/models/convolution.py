"""A convolution for bfloat16 on the CPU: faster on small maps, and correct on maps one column wide.

For the small maps at the end of a network, oneDNN's bfloat16 weight gradient takes two to seven times as long
as the forward pass. Written as one matrix product over unfolded images, it takes about as long as the forward
pass (docs/benchmarks). If a stride reduces a map to one column, as at the end of a network for images 32
pixels wide, oneDNN 3.13 with AMX reads past the map and returns noise or NaN. Such maps are computed in
float32. Nothing else changes: parameters and their names stay, and values agree up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input

MAX_PLACES = 32
"""Largest output map (height times width) for which the matrix product is faster on a CPU with AMX."""


class SmallMapConv2d(nn.Conv2d):
    """nn.Conv2d that trains faster on small maps under bfloat16 autocast on the CPU; otherwise the same."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        output: Tensor
        dtype = torch.get_autocast_dtype("cpu")
        if self._is_wrong(input):
            with torch.autocast("cpu", enabled=False):
                wide = bias if bias is None else bias.float()
                output = super()._conv_forward(input.float(), weight.float(), wide).to(dtype)
        elif self._is_faster(input):
            stride, padding = int(self.stride[0]), int(self.padding[0])
            output = _SmallMapConvolution.apply(input.to(dtype), weight.to(dtype), stride, padding)
        else:
            output = super()._conv_forward(input, weight, bias)
        return output

    def _is_wrong(self, maps: Tensor) -> bool:
        """Whether bfloat16 would return noise: the output is one column wide after a stride above 1."""
        out_width = (maps.shape[3] + 2 * int(self.padding[1]) - self.kernel_size[1]) // self.stride[1] + 1
        return (
            maps.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and out_width == 1
            and self.stride[1] > 1
            and self.kernel_size[1] > 1
        )

    def _is_faster(self, maps: Tensor) -> bool:
        stride = self.stride[0] * self.stride[1]
        return (
            maps.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.is_grad_enabled()
            and self.weight.requires_grad
            and maps.shape[2] * maps.shape[3] <= MAX_PLACES * stride
        )


def use_small_map_convolutions(net: nn.Module) -> None:
    """Replace every plain convolution inside a network; parameters and their names do not change."""
    for parent in list(net.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Conv2d and _is_plain(layer):
                setattr(parent, name, _replacement(layer))


def _is_plain(layer: nn.Conv2d) -> bool:
    square = all(len(set(pair)) == 1 for pair in (layer.kernel_size, layer.stride, layer.padding))
    return square and layer.groups == 1 and layer.dilation == (1, 1) and layer.bias is None


def _replacement(layer: nn.Conv2d) -> SmallMapConv2d:
    with torch.device("meta"):  # no memory or random numbers for a weight that is replaced below
        new = SmallMapConv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            stride=layer.stride,  # type: ignore[arg-type]
            padding=layer.padding,  # type: ignore[arg-type]
            bias=False,
        )
    new.weight = layer.weight
    return new


class _SmallMapConvolution(torch.autograd.Function):
    """2D convolution; forward and input gradient are torch's, the weight gradient is one matrix product.

    Saved for backward: the maps (N, C, H, W) and the weight (O, C, k, k), both in the autocast type.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(maps, weight, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:  # noqa: ANN401
        maps, weight = ctx.saved_tensors
        maps_gradient = None
        if ctx.needs_input_grad[0]:
            maps_gradient = conv2d_input(maps.shape, weight, gradient, stride=ctx.stride, padding=ctx.padding)
        return maps_gradient, _weight_gradient(maps, weight, gradient, ctx.stride, ctx.padding), None, None


def _weight_gradient(maps: Tensor, weight: Tensor, gradient: Tensor, stride: int, padding: int) -> Tensor:
    """Gradient with respect to the weight (O, C, k, k), as one matrix product over unfolded maps.

    W[o, c, i, j] gets the sum of gradient[n, o, y, x] * maps[n, c, y * stride + i, x * stride + j] over all
    n, y and x, on padded maps.

    Args:
        maps: (N, C, H, W) input of the convolution.
        weight: (O, C, k, k); only its shape is used.
        gradient: (N, O, h, w) gradient with respect to the output.
        stride: stride in both directions.
        padding: padding in both directions.
    """
    out_channels, channels, size, _ = weight.shape
    height, width = gradient.shape[2:]
    padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))  # (N, H', W', C)
    unfolded = torch.cat(
        [
            padded[
                :, i : i + stride * (height - 1) + 1 : stride, j : j + stride * (width - 1) + 1 : stride
            ].reshape(-1, channels)
            for i in range(size)
            for j in range(size)
        ],
        dim=1,
    )  # (N h w, k k C)
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, out_channels)  # (N h w, O)
    product = rows.T @ unfolded  # (O, k k C)
    return product.view(out_channels, size, size, channels).permute(0, 3, 1, 2)
