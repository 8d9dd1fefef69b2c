"""Refined beliefs in the true classes, in memory that does not grow with the number of steps.

With C classes the beliefs of a batch are an N x C matrix, and the plain computation keeps several of them
for each step. Here the classes are walked in blocks, and what a block needs is computed again when it is
needed. Three facts make that cheap. X are the beliefs, W the similarities:

- Anchors have one-hot beliefs, so they reach only the classes of the batch; in all other classes only the
  M rows that are no anchors take part. The classes of the batch are a block of their own.
- What a step divides a row by is the row sum of W * (X X^T), so a pass over the blocks has only an M x M
  matrix to collect.
- Walking back, the sum of a row's gradients that its normalisation takes away is the column sum of W times
  the gradient of W, which the same kind of pass collects; for the last step X X^T is enough.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from reid_gl.losses.replicator import SMALLEST_SUPPORT

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
    """
    free = (~anchors).nonzero().squeeze(1)  # (M,)
    classes, columns = labels.unique(return_inverse=True)  # (B,), (N,)
    truth = F.one_hot(columns, len(classes)).to(similarities.dtype)  # (N, B)
    rows = similarities[free]  # (M, N)
    largest = block_numbers or BLOCK_NUMBERS.get(logits.device.type, BLOCK_NUMBERS["cuda"])
    prior = _Prior(free, classes, columns[free, None], temperature, max(1, largest // max(1, len(free))))
    losses: Tensor = _Refinement.apply(
        rows[:, free], rows @ (truth * anchors[:, None]), logits, prior, num_steps
    )
    return losses


class _Prior:
    """How logits become the beliefs before the first step, block by block.

    Args:
        free: (M,) rows that are no anchors.
        classes: (B,) classes of the batch, rising.
        columns: (M, 1) place of each row's class among those.
        temperature: divides the logits.
        width: classes in a block.
    """

    def __init__(
        self, free: Tensor, classes: Tensor, columns: Tensor, temperature: float, width: int
    ) -> None:
        self.free, self.classes, self.columns = free, classes, columns
        self.temperature, self._width = temperature, width
        self._sorted: list[int] = classes.tolist()

    def tempered(self, logits: Tensor, minus: Tensor) -> Tensor:
        """(N, any) logits to (M, any) logits / temperature - minus, a copy."""
        rows = logits.index_select(0, self.free).to(minus.dtype)
        return torch.add(-minus, rows, alpha=1.0 / self.temperature)

    def of_batch(self, logits: Tensor, log_sum: Tensor) -> Tensor:
        """(M, B) beliefs in the classes of the batch."""
        return self.tempered(logits.index_select(1, self.classes), log_sum).exp_()

    def of_others(self, logits: Tensor, log_sum: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Classes and beliefs (M, width) of each block, 0 in the classes of the batch."""
        for start in range(0, logits.shape[1], self._width):
            block = slice(start, start + self._width)
            beliefs = self.tempered(logits[:, block], log_sum).exp_()
            first, last = (bisect.bisect_left(self._sorted, end) for end in (block.start, block.stop))
            if first < last:
                beliefs.index_fill_(1, self.classes[first:last] - start, 0.0)
            yield block, beliefs


class _Dynamics:
    """The steps, for a block of classes.

    A flow is a gradient by the logarithms of the beliefs before a step, (M, any), normalisation not
    considered; a quotient is one by the logarithms of a step's supports, divided by the step's ratios.

    Attributes:
        shares: for each step (M, M), similarities divided by what the step divides the row by.
        anchored: for each step (M, B), the same for the support of anchors, plus the floor.
        floors: for each step (M, 1), the same for the smallest support.
        divisors: for each step (M, 1).
    """

    def __init__(self) -> None:
        self.shares: list[Tensor] = []
        self.anchored: list[Tensor] = []
        self.floors: list[Tensor] = []
        self.divisors: list[Tensor] = []

    def append(self, weights: Tensor, from_anchors: Tensor, support: Tensor) -> None:
        """Add a step: similarities (M, M), support by anchors (M, B), mean support of the beliefs (M, 1)."""
        divisor = support + SMALLEST_SUPPORT
        self.divisors.append(divisor)
        self.shares.append(weights / divisor)
        self.anchored.append((from_anchors + SMALLEST_SUPPORT) / divisor)
        self.floors.append(SMALLEST_SUPPORT / divisor)

    def forth(self, beliefs: Tensor, offsets: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """(M, any) beliefs after 0, 1, ... steps, one step per offset, and what each step multiplies by."""
        states, ratios = [beliefs], []
        for share, offset in zip(self.shares, offsets, strict=False):
            ratios.append(torch.addmm(offset, share, states[-1]))
            states.append(states[-1] * ratios[-1])
        return states, ratios

    def last_flow(self, states: Tensor, push: Tensor, factors: Tensor) -> Tensor:
        """Flow before the last step, but for the true classes' own part.

        Args:
            states: (M, any) beliefs before it.
            push: (M, any) or (M, 1), what does not depend on them.
            factors: (M, 1) gradient of each row's loss.
        """
        pulled = factors * self.shares[-1]
        return torch.addmm(push, pulled + pulled.T, states).mul_(states)

    def back(
        self, step: int, flow: Tensor, states: list[Tensor], ratios: list[Tensor], total: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One step back.

        Args:
            step: which one.
            flow: after it.
            states: of forth, at least as far.
            ratios: of forth, at least as far.
            total: (M, 1), what normalisation takes away from the flow.

        Returns:
            The step's quotient, and the flow before it.
        """
        flow = torch.addcmul(flow, states[step + 1], total, value=-1.0)
        quotient = flow / ratios[step]
        return quotient, flow.addcmul_(states[step], self.shares[step].T @ quotient)


class _Refinement(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        weights: Tensor,
        from_anchors: Tensor,
        logits: Tensor,
        prior: _Prior,
        num_steps: int,
    ) -> Tensor:
        """Similarities (M, M), support by anchors (M, B) and logits (N, C) to losses (M,)."""
        log_sum, batch, blocks = _first_beliefs(weights, logits, prior)
        dynamics, last = _Dynamics(), batch
        for step in range(num_steps):
            products = torch.zeros_like(weights, dtype=torch.float64)  # many small numbers are added up
            for block in blocks:
                if step:
                    block.mul_(torch.addmm(dynamics.floors[-1], dynamics.shares[-1], block))
                products += block @ block.T
            support = (weights * (products + last @ last.T)).sum(dim=1, keepdim=True)
            support += (from_anchors * last).sum(dim=1, keepdim=True)
            dynamics.append(weights, from_anchors, support.to(weights.dtype))
            last = last * torch.addmm(dynamics.anchored[-1], dynamics.shares[-1], last)
        ctx.save_for_backward(weights, logits, log_sum, batch, products)
        ctx.prior, ctx.dynamics = prior, dynamics
        gains = prior.tempered(logits.index_select(1, prior.classes), log_sum).gather(1, prior.columns)
        for ratio in dynamics.forth(batch, dynamics.anchored)[1]:
            gains += ratio.gather(1, prior.columns).log()
        return -gains.squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Gradient (M,) of the losses to those of similarities, support by anchors, and logits."""
        weights, logits, log_sum, batch, products = ctx.saved_tensors
        prior, dynamics = ctx.prior, ctx.dynamics
        factors = gradient[:, None] / prior.temperature  # all that follows is linear in it
        last = len(dynamics.shares) - 1
        states, ratios = dynamics.forth(batch, dynamics.anchored)
        hits = torch.zeros_like(batch).scatter_(1, prior.columns, factors)
        pulls = hits / ratios[last]
        push = factors * dynamics.anchored[last] - dynamics.shares[last].T @ pulls
        flow = dynamics.last_flow(states[last], push, factors) - hits
        quotient, products = factors * states[last] - pulls, factors * products
        push = factors * dynamics.floors[last]
        by_weights, by_anchors = torch.zeros_like(weights), torch.zeros_like(batch)
        flows: list[Tensor] = []  # of the other classes, block by block
        total = -factors
        for step in reversed(range(last + 1)):
            if step < last:
                quotient, flow = dynamics.back(step, flow, states, ratios, total)
                flows, products = _back_in_blocks(ctx, step, flows, total, push, factors)
            by_step = (quotient @ states[step].T + products).to(weights.dtype) / dynamics.divisors[step]
            total = (weights * by_step).sum(dim=0)[:, None]
            by_weights += by_step
            by_anchors += quotient / dynamics.divisors[step]
        by_logits = log_sum.new_zeros(logits.shape)
        flows.reverse()
        for block, beliefs in prior.of_others(logits, log_sum):
            other = flows.pop() if flows else dynamics.last_flow(beliefs, push, factors)
            by_logits[:, block].index_copy_(0, prior.free, other.addcmul_(beliefs, total, value=-1.0))
        by_logits[prior.free[:, None], prior.classes] = flow - batch * total
        by_weights, by_anchors = by_weights * prior.temperature, by_anchors * prior.temperature
        return by_weights, by_anchors, by_logits.to(logits.dtype), None, None


def _back_in_blocks(
    ctx: Any,  # noqa: ANN401
    step: int,
    flows: list[Tensor],
    total: Tensor,
    push: Tensor,
    factors: Tensor,
) -> tuple[list[Tensor], Tensor]:
    """One step back in all classes that are not in the batch: flows before it, and quotients times beliefs.

    Without flows after it the step is the last but one.
    """
    weights, logits, log_sum, _, _ = ctx.saved_tensors
    dynamics, last = ctx.dynamics, len(ctx.dynamics.shares) - 1
    products = torch.zeros_like(weights, dtype=torch.float64)
    for place, (_, beliefs) in enumerate(ctx.prior.of_others(logits, log_sum)):
        states, ratios = dynamics.forth(beliefs, dynamics.floors[: step + 1])
        if step == last - 1:
            flows.append(dynamics.last_flow(states[last], push, factors))
        quotient, flows[place] = dynamics.back(step, flows[place], states, ratios, total)
        products += quotient @ states[step].T
    return flows, products


def _first_beliefs(weights: Tensor, logits: Tensor, prior: _Prior) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Normaliser (M, 1), beliefs (M, B) in the classes of the batch, and (M, width) blocks of the others."""
    top = prior.tempered(logits.amax(dim=1, keepdim=True), weights.new_zeros(1))
    batch = prior.of_batch(logits, top)
    total, blocks = batch.sum(dim=1, keepdim=True).double(), []
    for _, block in prior.of_others(logits, top):
        total += block.sum(dim=1, keepdim=True)
        blocks.append(block)
    scale = total.to(top.dtype)
    return top + total.log().to(top.dtype), batch / scale, [block.div_(scale) for block in blocks]
