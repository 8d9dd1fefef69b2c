"""Refined beliefs in the true classes, in memory that does not grow with the number of steps.

The beliefs of a batch over C classes are an N x C matrix. The plain computation keeps several such matrices
per step. This one keeps a single matrix, the beliefs before the first step. It goes through the classes in
blocks and recomputes the later beliefs of a block when it needs them. Three facts make that cheap; X are the
beliefs, W the similarities:

- Anchors have one-hot beliefs, so they only affect the classes of the batch. In all other classes only the M
  free rows, those that are not anchors, take part. The classes of the batch form a separate block.
- The normaliser of a row in a step is its row sum of W * (X X^T). So a pass over the blocks only has to
  accumulate an M x M matrix.
- Backward, normalisation subtracts the sum of a row's gradients over all classes. This sum equals the column
  sum of W times the gradient with respect to W, which a pass over the blocks accumulates in the same way.
  For the last step X X^T, saved by the forward pass, is enough.
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

BLOCK_NUMBERS = {"cpu": 2**18, "cuda": 2**24}  # fits the cache of a core; enough work for a GPU


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
    """Negative log of the refined belief in the true class, for every row that is not an anchor.

    Values and first derivatives equal those of `replicator_dynamics`.

    Args:
        similarities: (N, N), not negative, float32 or better.
        logits: (N, C); the belief before the first step is softmax(logits / temperature).
        labels: (N,) int64 in [0, C).
        anchors: (N,) bool.
        num_steps: number of replicator updates, at least 1.
        temperature: positive.
        block_numbers: maximum number of elements in a block; None for a size that suits the device.

    Returns:
        (M,) nats, for the M rows that are not anchors, in their order.

    Raises:
        ValueError: a label outside [0, C).
    """
    free = (~anchors).nonzero().squeeze(1)  # (M,)
    classes, columns = labels.unique(return_inverse=True)  # (B,), (N,)
    check_labels_in_range(labels, logits.shape[1])
    present = tuple(classes.tolist())
    dtype = similarities.dtype
    # small matrices use float64: the loss of confidently classified images is a difference of large numbers
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
    """Index tensors for the free rows and the classes of the batch.

    Attributes:
        free: (M,) indices of the rows that are not anchors.
        classes: (B,) classes of the batch, ascending.
        columns: (M, 1) position of each free row's class in `classes`.
        present: `classes` on the host, to avoid a device synchronisation per block.
        width: number of classes in a block.
    """

    free: Tensor
    classes: Tensor
    columns: Tensor
    present: tuple[int, ...]
    width: int


class _Refinement(torch.autograd.Function):
    """Forward and backward pass in blocks of classes.

    Blocks use `dtype`, the type of the result. The M x M matrices and the classes of the batch use the type
    of `weights`, which is float64 where the device has it.
    """

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
        """Compute losses (M,).

        Saved for backward: `weights`, the first beliefs in the classes of the batch (M, B) and in all classes
        by blocks (M, width), and `products` (M, M), the X X^T of the other classes before the last step.

        Args:
            ctx: autograd context.
            weights: (M, M) similarities of the free rows.
            from_anchors: (M, B) support by anchors.
            logits: (N, C).
            places: indices of free rows and classes.
            temperature: divides the logits.
            num_steps: number of replicator updates.
            dtype: type of the blocks and of the result.
        """
        gains, batch, blocks = _first_beliefs(logits, places, temperature, dtype, weights.dtype)
        steps, last, others = ReplicatorSteps(), batch, list(blocks)
        low = steps  # the same steps in the type of the blocks
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
        return (-gains.squeeze(1)).clamp_min(0.0).to(dtype)  # below 0 only by rounding: beliefs are at most 1

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Gradients with respect to weights (M, M), from_anchors (M, B) and logits (N, C)."""
        with torch.autocast(gradient.device.type, enabled=False):
            by_weights, by_anchors, by_logits = _walk_back(ctx, gradient)
        return by_weights, by_anchors, by_logits, None, None, None, None


def _walk_back(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
    """Backward pass, from the last step to the first; `flow` and `quotient` as in ReplicatorSteps.

    `states` and `ratios` belong to the classes of the batch; `blocks` and `flows` to all other classes.

    Returns:
        Gradients with respect to weights (M, M), from_anchors (M, B) and logits (N, C).
    """
    weights, batch, products, *blocks = ctx.saved_tensors
    places, steps, narrow = ctx.places, ctx.steps, ctx.steps.to(ctx.dtype)
    # carries 1 / temperature through all that follows, which is linear in it; taken out again at the end
    factors = gradient[:, None].to(weights.dtype) / ctx.temperature
    last = len(steps.shares) - 1
    states, ratios = steps.forth(batch, steps.anchored)
    # last step: loss = log(normaliser) - log(belief) - log(support), the latter two in the true class
    hits = torch.zeros_like(batch).scatter_(1, places.columns, factors)
    pulls = hits / ratios[last]
    push = factors * steps.anchored[last] - steps.shares[last].T @ pulls
    flow = steps.last_flow(states[last], push, factors) - hits
    quotient, products = factors * states[last] - pulls, factors * products
    by_weights, by_anchors = torch.zeros_like(weights), torch.zeros_like(batch)
    flows: list[Tensor] = []  # flow of the other classes, one tensor per block
    total, low_factors = -factors, factors.to(ctx.dtype)
    for step in reversed(range(last + 1)):
        if step < last:
            quotient, flow = steps.back(step, flow, states, ratios, total)
            _back_in_blocks(narrow, step, blocks, flows, total.to(ctx.dtype), low_factors, products.zero_())
        by_step = (quotient @ states[step].T + products) / steps.divisors[step]
        total = (weights * by_step).sum(dim=0)[:, None]  # row sums of the flow before this step, all classes
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
    """Backward through one step in all classes outside the batch.

    Args:
        steps: coefficients of the steps.
        step: index of the step.
        blocks: (M, width) beliefs before the first step.
        flows: flow of each block after the step, replaced with the flow before it. Empty on the first call,
            for the last step but one: the call computes the flows itself.
        total: (M, 1) row sums of the flow over all classes; normalisation subtracts X * total.
        factors: (M, 1) gradient with respect to each row's loss.
        products: (M, M), quotient @ X^T of every block is added in place.
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
    """Beliefs before the first step.

    Returns:
        Log of the belief in the true class (M, 1); beliefs in the classes of the batch (M, B); beliefs in
        all classes by blocks (M, width), with 0 in the classes of the batch.
    """
    top = logits.amax(dim=1, keepdim=True).index_select(0, places.free)

    def tempered(part: Tensor, dtype: torch.dtype) -> Tensor:
        # subtract the maximum first: then the largest value is exactly 0, however large the logits are
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
