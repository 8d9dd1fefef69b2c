"""Refined beliefs in the true classes, in memory that does not grow with the number of steps.

With C classes the beliefs of a batch are an N x C matrix, and the plain computation keeps several of them
for each step. Here one is kept, that before the first step; the classes are walked in blocks, and the later
beliefs of a block are computed again when they are needed. Three facts make that cheap. X are the beliefs, W
the similarities:

- Anchors have one-hot beliefs, so they reach only the classes of the batch; in all other classes only the
  M rows that are no anchors take part. The classes of the batch are a block of their own.
- What a step divides a row by is the row sum of W * (X X^T), so a pass over the blocks has only an M x M
  matrix to collect.
- Walking back, the sum of a row's gradients that its normalisation takes away is the column sum of W times
  the gradient of W, which the same kind of pass collects; for the last step X X^T is enough.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from reid_gl.losses.pairs import check_labels_in_range
from reid_gl.losses.replicator_steps import ReplicatorSteps

BLOCK_NUMBERS = {"cpu": 2**18, "cuda": 2**24}  # what a core's cache holds; what keeps a GPU busy


def refined_cross_entropy(
    similarities: Tensor,
    logits: Tensor,
    labels: Tensor,
    anchors: Tensor,
    *,
    num_steps: int,
    temperature: float,
    block_numbers: int | None = None,
) -> Tensor:
    """Minus the logarithm of the refined belief in the true class, of every row that is no anchor.

    The same values and first derivatives as by `replicator_dynamics`.

    Args:
        similarities: (N, N), not negative, float32 or better.
        logits: (N, C); softmax of logits / temperature is the belief before the first step.
        labels: (N,) int64 in [0, C).
        anchors: (N,) bool.
        num_steps: replicator updates, at least 1.
        temperature: positive.
        block_numbers: largest size of a block; None for one that suits the device.

    Returns:
        (M,) nats, for the M rows that are no anchors, in their order.

    Raises:
        ValueError: a label outside [0, C).
    """
    free = (~anchors).nonzero().squeeze(1)  # (M,)
    classes, columns = labels.unique(return_inverse=True)  # (B,), (N,)
    check_labels_in_range(labels, logits.shape[1])
    present = tuple(classes.tolist())
    dtype = similarities.dtype
    # what is small is computed in float64: the loss of well-known pictures is a difference of large numbers
    exact = torch.float32 if logits.device.type == "mps" else torch.float64
    truth = F.one_hot(columns, len(classes)).to(exact)  # (N, B)
    rows = similarities.to(exact)[free]  # (M, N)
    largest = block_numbers or BLOCK_NUMBERS.get(logits.device.type, BLOCK_NUMBERS["cuda"])
    places = _Places(free, classes, columns[free, None], present, max(1, largest // max(1, len(free))))
    from_anchors = rows @ (truth * anchors[:, None])  # (M, B)
    with torch.autocast(logits.device.type, enabled=False):
        losses: Tensor = _Refinement.apply(
            rows[:, free], from_anchors, logits, places, float(temperature), num_steps, dtype
        )
    return losses


@dataclass(frozen=True)
class _Places:
    """Which of the logits matter how.

    Attributes:
        free: (M,) rows that are no anchors.
        classes: (B,) classes of the batch, rising.
        columns: (M, 1) place of each row's class among those.
        present: the same classes, on the host.
        width: classes in a block.
    """

    free: Tensor
    classes: Tensor
    columns: Tensor
    present: tuple[int, ...]
    width: int


class _Refinement(torch.autograd.Function):
    """Blocks are in the number format of the result, everything else in that of the similarities."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        weights: Tensor,
        from_anchors: Tensor,
        logits: Tensor,
        places: _Places,
        temperature: float,
        num_steps: int,
        dtype: torch.dtype,
    ) -> Tensor:
        """Similarities (M, M), support by anchors (M, B) and logits (N, C) to losses (M,)."""
        gains, batch, blocks = _first_beliefs(logits, places, temperature, dtype, weights.dtype)
        steps, last, others = ReplicatorSteps(), batch, list(blocks)
        low = steps  # in the blocks' number format
        for step in range(num_steps):
            products = torch.zeros_like(weights)
            for place, other in enumerate(others):
                if step:
                    ratio = torch.addmm(low.floors[-1], low.shares[-1], other)
                    others[place] = other = ratio.mul_(other)
                products += other @ other.T
            support = (weights * (products + last @ last.T)).sum(dim=1, keepdim=True)
            steps.append(weights, from_anchors, support + (from_anchors * last).sum(dim=1, keepdim=True))
            low = steps.to(dtype)
            ratio = torch.addmm(steps.anchored[-1], steps.shares[-1], last)
            last = last * ratio
            gains = gains + ratio.gather(1, places.columns).log()
        ctx.save_for_backward(weights, batch, products, *blocks)
        ctx.places, ctx.steps, ctx.temperature = places, steps, temperature
        ctx.shape, ctx.logits_dtype, ctx.dtype = logits.shape, logits.dtype, dtype
        return (-gains.squeeze(1)).clamp_min(0.0).to(dtype)  # rounding only: no belief exceeds 1

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Gradient (M,) of the losses to those of similarities, support by anchors, and logits."""
        with torch.autocast(gradient.device.type, enabled=False):
            by_weights, by_anchors, by_logits = _walk_back(ctx, gradient)
        return by_weights, by_anchors, by_logits, None, None, None, None


def _walk_back(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
    weights, batch, products, *blocks = ctx.saved_tensors
    places, steps, narrow = ctx.places, ctx.steps, ctx.steps.to(ctx.dtype)
    factors = gradient[:, None].to(weights.dtype) / ctx.temperature  # all that follows is linear in it
    last = len(steps.shares) - 1
    states, ratios = steps.forth(batch, steps.anchored)
    hits = torch.zeros_like(batch).scatter_(1, places.columns, factors)
    pulls = hits / ratios[last]
    push = factors * steps.anchored[last] - steps.shares[last].T @ pulls
    flow = steps.last_flow(states[last], push, factors) - hits
    quotient, products = factors * states[last] - pulls, factors * products
    by_weights, by_anchors = torch.zeros_like(weights), torch.zeros_like(batch)
    flows: list[Tensor] = []  # of the other classes, block by block
    total, low_factors = -factors, factors.to(ctx.dtype)
    for step in reversed(range(last + 1)):
        if step < last:
            quotient, flow = steps.back(step, flow, states, ratios, total)
            _back_in_blocks(narrow, step, blocks, flows, total.to(ctx.dtype), low_factors, products.zero_())
        by_step = (quotient @ states[step].T + products) / steps.divisors[step]
        total = (weights * by_step).sum(dim=0)[:, None]
        by_weights += by_step
        by_anchors += quotient / steps.divisors[step]
    by_logits = low_factors.new_zeros(ctx.shape)
    flows.reverse()
    for place, beliefs in enumerate(blocks):
        other = flows.pop() if flows else narrow.last_flow(beliefs, None, low_factors)
        other.addcmul_(beliefs, total.to(ctx.dtype), value=-1.0)
        by_logits[:, place * places.width :][:, : places.width].index_copy_(0, places.free, other)
    by_logits[places.free[:, None], places.classes] = (flow - batch * total).to(ctx.dtype)
    return by_weights * ctx.temperature, by_anchors * ctx.temperature, by_logits.to(ctx.logits_dtype)


def _back_in_blocks(
    steps: ReplicatorSteps,
    step: int,
    blocks: list[Tensor],
    flows: list[Tensor],
    total: Tensor,
    factors: Tensor,
    products: Tensor,
) -> None:
    """One step back in all classes that are not in the batch.

    Args:
        steps: the steps.
        step: which one.
        blocks: (M, width) beliefs before the first step.
        flows: of each block after the step, replaced by those before it; empty for the last step but one.
        total: (M, 1), what normalisation takes away from the flows.
        factors: (M, 1) gradient of each row's loss.
        products: (M, M), quotients times beliefs are added to it.
    """
    last = len(steps.shares) - 1
    for place, beliefs in enumerate(blocks):
        states, ratios = steps.forth(beliefs, steps.floors[: step + 1])
        if step == last - 1:
            flows.append(steps.last_flow(states[last], None, factors))
        quotient, flows[place] = steps.back(step, flows[place], states, ratios, total)
        products += quotient @ states[step].T


def _first_beliefs(
    logits: Tensor, places: _Places, temperature: float, dtype: torch.dtype, exact: torch.dtype
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Before any step.

    Returns:
        Logarithm of the belief in the true class (M, 1), beliefs in the classes of the batch (M, B), and in
        all classes by blocks (M, width), 0 in those of the batch.
    """
    top = logits.amax(dim=1, keepdim=True).index_select(0, places.free)

    def tempered(part: Tensor, dtype: torch.dtype) -> Tensor:
        # subtracted first: whatever the size of the logits, the largest becomes exactly 0
        return part.index_select(0, places.free).to(dtype).sub_(top.to(dtype)).div_(temperature)

    batch = tempered(logits.index_select(1, places.classes), exact)
    gains = batch.gather(1, places.columns)
    total, blocks = torch.zeros_like(gains), []
    for start in range(0, logits.shape[1], places.width):
        block = tempered(logits[:, start : start + places.width], dtype).exp_()
        first, last = (bisect.bisect_left(places.present, end) for end in (start, start + places.width))
        if first < last:
            block.index_fill_(1, places.classes[first:last] - start, 0.0)
        total += block.sum(dim=1, keepdim=True)
        blocks.append(block)
    total += batch.exp_().sum(dim=1, keepdim=True)
    for block in (batch, *blocks):
        block.div_(total.to(block.dtype))
    return gains - total.log(), batch, blocks
