"""Gather, sum, average and broadcast tensors of all ranks; in a single process, tensors stay unchanged.

Gradients follow one rule: every rank differentiates the *sum* of the scalars of all ranks, and afterwards
the gradients of parameters are averaged over the ranks. So if all ranks compute the same loss of the same
gathered rows, the result is the gradient of that loss in a single process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from reid_gl.distributed.ranks import is_joined, ranks


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate the rows of all ranks, in the order of the ranks; differentiable.

    The backward pass needs no communication: it assumes that every rank computes the same scalar from the
    gathered rows, so the sum over the ranks is this rank's gradient times their number.

    Args:
        rows: (n, ...), the same shape and dtype on every rank.

    Returns:
        (number of ranks * n, ...); the argument itself in a single process.
    """
    gathered: Tensor = _GatherRows.apply(rows) if is_joined() else rows
    return gathered


def sum_over_ranks(values: Tensor) -> Tensor:
    """Sum a tensor over the ranks; differentiable, also for scalars that differ between the ranks.

    Args:
        values: any shape, the same on every rank.

    Returns:
        A new tensor of that shape; the argument itself in a single process.
    """
    total: Tensor = _SumOverRanks.apply(values) if is_joined() else values
    return total


def average_in_place(tensors: Iterable[Tensor]) -> None:
    """Replace floating-point tensors by their means over the ranks, in one exchange per dtype.

    Args:
        tensors: the same shapes and dtypes in the same order on every rank.
    """

    def average(flat: Tensor) -> Tensor:
        dist.all_reduce(flat)
        return flat / ranks().world_size

    _exchange(tensors, average)


def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrite tensors by those of rank 0.

    Args:
        tensors: the same shapes and dtypes in the same order on every rank.
    """

    def copy(flat: Tensor) -> Tensor:
        dist.broadcast(flat, 0)
        return flat

    _exchange(tensors, copy)


def largest(number: int) -> int:
    """Return the largest of the whole numbers of all ranks."""
    if not is_joined():
        return number
    value = torch.tensor(number)
    dist.all_reduce(value, dist.ReduceOp.MAX)
    return int(value)


@torch.no_grad()
def _exchange(tensors: Iterable[Tensor], exchange: Callable[[Tensor], Tensor]) -> None:
    """Replace tensors by what an exchange between ranks makes of them, one call per dtype."""
    if not is_joined():
        return
    for group in _by_dtype(tensors):
        flat = exchange(torch.cat([tensor.reshape(-1) for tensor in group]))
        parts = flat.split([tensor.numel() for tensor in group])
        for tensor, part in zip(group, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))


def _by_dtype(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    groups: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.dtype, tensor.device), []).append(tensor.detach())
    return list(groups.values())


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401
        ctx.num_rows = len(rows)
        gathered = rows.new_empty((ranks().world_size * len(rows), *rows.shape[1:]))
        dist.all_gather(list(gathered.chunk(ranks().world_size)), rows.contiguous())
        return gathered

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        own = gradient.narrow(0, ranks().rank * ctx.num_rows, ctx.num_rows)
        return own * ranks().world_size


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total
