"""Share gradients and statistics of batch normalisation between ranks."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from reid_gl.distributed.ranks import is_joined, ranks
from reid_gl.distributed.tensors import average_in_place, sum_over_ranks
from reid_gl.models.reid_net import ReidNet

_NAMES = ("forward_sync_buffers", "broadcast_buffers")  # of torch 2.15, and before
_KNOWN = inspect.signature(DistributedDataParallel).parameters
BUFFERS_STAY: dict[str, Any] = {next(name for name in _NAMES if name in _KNOWN): False}
"""Tell DDP not to broadcast rank 0's buffers before every pass: they are already the same."""


class _Part(nn.Module):
    """Backbone and pooling as one module for DDP."""

    def __init__(self, net: ReidNet) -> None:
        super().__init__()
        self.backbone, self.pooling = net.backbone, net.pooling
        some = next(net.backbone.parameters())
        # DDP searches for unused parameters, and warns if it finds none
        self.unused = nn.Parameter(some.detach().new_zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.pooling(self.backbone(images))
        return pooled


class ParallelBackbone:
    """Backbone and pooling of a network; on several ranks, their gradients are averaged during backward.

    Create a new one after freezing or unfreezing parameters.

    Args:
        net: the network, with the same weights on every rank.
        overlaps: average during backward; False leaves it to average_gradients.

    Attributes:
        parameters: parameters with gradients that backward averages; empty in a single process.
    """

    def __init__(self, net: ReidNet, *, overlaps: bool = True) -> None:
        self._pooled = net.pooled
        self.parameters: frozenset[nn.Parameter] = frozenset()
        self._wrapper: DistributedDataParallel | None = None
        parameters = (*net.backbone.parameters(), *net.pooling.parameters())
        if overlaps and is_joined() and any(parameter.requires_grad for parameter in parameters):
            # Searching for unused parameters keeps DDP from rearranging its buckets after the first step. So
            # a resumed run sums in the order of an uninterrupted one, and is the same to the last bit.
            self._wrapper = DistributedDataParallel(
                _Part(net), find_unused_parameters=True, gradient_as_bucket_view=True, **BUFFERS_STAY
            )
            self.parameters = frozenset(parameter for parameter in parameters if parameter.requires_grad)

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to pooled features (N, D)."""
        pooled: Tensor = (self._pooled if self._wrapper is None else self._wrapper)(images)
        return pooled

    @contextlib.contextmanager
    def averages(self, is_last: bool) -> Iterator[None]:
        """Average gradients only in the last of several passes; before it they are summed on each rank."""
        with contextlib.nullcontext() if self._wrapper is None or is_last else self._wrapper.no_sync():
            yield


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Average gradients that backward has not averaged; each must exist on all ranks or on none."""
    average_in_place([parameter.grad for parameter in parameters if parameter.grad is not None])


def average_statistics(net: nn.Module) -> None:
    """Average the running statistics that each rank computed from its own images."""
    average_in_place([buffer for buffer in net.buffers() if buffer.is_floating_point()])


def share_statistics(module: nn.Module, device_type: str) -> None:
    """Make batch normalisation use the statistics of all ranks' images; parameter names stay the same.

    Torch's own layers support only GPUs; on the CPU the layers become SharedBatchNorm.
    """
    if ranks().world_size == 1:
        return
    for name, child in module.named_children():
        if not isinstance(child, nn.modules.batchnorm._BatchNorm):
            share_statistics(child, device_type)
        elif device_type == "cuda":
            setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        else:
            setattr(module, name, SharedBatchNorm.of(child))


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the images of all ranks, of rows (N, C) or maps (N, C, H, W)."""

    @classmethod
    def of(cls, layer: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
        """Create a layer with the same parameters, statistics and settings."""
        shared = cls(
            layer.num_features,
            eps=layer.eps,
            momentum=layer.momentum,
            affine=layer.affine,
            track_running_stats=layer.track_running_stats,
        )
        shared._parameters, shared._buffers = layer._parameters, layer._buffers
        return shared.train(layer.training)

    def forward(self, values: Tensor) -> Tensor:
        """Normalise every channel; in evaluation mode with the running statistics."""
        if not self.training:
            return super().forward(values)
        with torch.autocast(values.device.type, enabled=False):
            wide = values.to(torch.promote_types(values.dtype, torch.float32))
            axes = [0, *range(2, values.ndim)]
            shape = [1, -1, *[1] * (values.ndim - 2)]
            own = wide.new_tensor([values.numel() / values.shape[1]])
            sums = sum_over_ranks(torch.cat([wide.sum(axes), own]))
            count = sums[-1].detach()
            mean = sums[:-1] / count  # (C,)
            centred = wide - mean.view(shape)
            variance = sum_over_ranks(centred.square().sum(axes)) / count  # (C,)
            self._update(mean, variance, count)
            scaled = centred * (variance + self.eps).rsqrt().view(shape)
            if self.affine:
                scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(values.dtype)

    @torch.no_grad()
    def _update(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var.dtype), share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept rows and maps of any size."""
