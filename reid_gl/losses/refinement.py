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
    places = _Places(free, classes, columns[free, None], max(1, largest // max(1, len(free))))
    from_anchors = rows @ (truth * anchors[:, None])  # (M, B)
    losses: Tensor = _Refinement.apply(
        rows[:, free], from_anchors, logits, places, float(temperature), num_steps
    )
    return losses


@dataclass(frozen=True)
class _Places:
    """Which of the logits matter how.

    Attributes:
        free: (M,) rows that are no anchors.
        classes: (B,) classes of the batch, rising.
        columns: (M, 1) place of each row's class among those.
        width: classes in a block.
    """

    free: Tensor
    classes: Tensor
    columns: Tensor
    width: int


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

    def last_flow(self, states: Tensor, push: Tensor | None, factors: Tensor) -> Tensor:
        """Flow before the last step, but for the true classes' own part.

        Args:
            states: (M, any) beliefs before it.
            push: (M, any), what does not depend on them; None in classes that are not in the batch.
            factors: (M, 1) gradient of each row's loss.
        """
        pulled = factors * self.shares[-1]
        push = factors * self.floors[-1] if push is None else push
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
        places: _Places,
        temperature: float,
        num_steps: int,
    ) -> Tensor:
        """Similarities (M, M), support by anchors (M, B) and logits (N, C) to losses (M,)."""
        gains, batch, blocks = _first_beliefs(logits, places, temperature, weights.dtype)
        dynamics, last, others = _Dynamics(), batch, list(blocks)
        for step in range(num_steps):
            products = torch.zeros_like(weights, dtype=torch.float64)  # many small numbers are added up
            for place, other in enumerate(others):
                if step:
                    ratio = torch.addmm(dynamics.floors[-1], dynamics.shares[-1], other)
                    others[place] = other = ratio.mul_(other)
                products += other @ other.T
            support = (weights * (products + last @ last.T)).sum(dim=1, keepdim=True)
            support += (from_anchors * last).sum(dim=1, keepdim=True)
            dynamics.append(weights, from_anchors, support.to(weights.dtype))
            ratio = torch.addmm(dynamics.anchored[-1], dynamics.shares[-1], last)
            last = last * ratio
            gains = gains + ratio.gather(1, places.columns).log()
        ctx.save_for_backward(weights, batch, products, *blocks)
        ctx.places, ctx.dynamics, ctx.temperature = places, dynamics, temperature
        ctx.shape, ctx.dtype = logits.shape, logits.dtype
        return -gains.squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Gradient (M,) of the losses to those of similarities, support by anchors, and logits."""
        weights, batch, products, *blocks = ctx.saved_tensors
        places, dynamics = ctx.places, ctx.dynamics
        factors = gradient[:, None] / ctx.temperature  # all that follows is linear in it
        last = len(dynamics.shares) - 1
        states, ratios = dynamics.forth(batch, dynamics.anchored)
        hits = torch.zeros_like(batch).scatter_(1, places.columns, factors)
        pulls = hits / ratios[last]
        push = factors * dynamics.anchored[last] - dynamics.shares[last].T @ pulls
        flow = dynamics.last_flow(states[last], push, factors) - hits
        quotient, products = factors * states[last] - pulls, factors * products
        by_weights, by_anchors = torch.zeros_like(weights), torch.zeros_like(batch)
        flows: list[Tensor] = []  # of the other classes, block by block
        total = -factors
        for step in reversed(range(last + 1)):
            if step < last:
                quotient, flow = dynamics.back(step, flow, states, ratios, total)
                products = _back_in_blocks(dynamics, step, blocks, flows, total, factors)
            by_step = (quotient @ states[step].T + products).to(weights.dtype) / dynamics.divisors[step]
            total = (weights * by_step).sum(dim=0)[:, None]
            by_weights += by_step
            by_anchors += quotient / dynamics.divisors[step]
        by_logits = weights.new_zeros(ctx.shape)
        flows.reverse()
        for place, beliefs in enumerate(blocks):
            other = flows.pop() if flows else dynamics.last_flow(beliefs, None, factors)
            other.addcmul_(beliefs, total, value=-1.0)
            by_logits[:, place * places.width :][:, : places.width].index_copy_(0, places.free, other)
        by_logits[places.free[:, None], places.classes] = flow - batch * total
        by_weights, by_anchors = by_weights * ctx.temperature, by_anchors * ctx.temperature
        return by_weights, by_anchors, by_logits.to(ctx.dtype), None, None, None


def _back_in_blocks(
    dynamics: _Dynamics,
    step: int,
    blocks: list[Tensor],
    flows: list[Tensor],
    total: Tensor,
    factors: Tensor,
) -> Tensor:
    """One step back in all classes that are not in the batch.

    Args:
        dynamics: the steps.
        step: which one.
        blocks: (M, width) beliefs before the first step.
        flows: of each block after the step, replaced by those before it; empty for the last step but one.
        total: (M, 1), what normalisation takes away from the flows.
        factors: (M, 1) gradient of each row's loss.

    Returns:
        (M, M) quotients times beliefs, summed over the classes.
    """
    last = len(dynamics.shares) - 1
    products = factors.new_zeros((len(factors), len(factors)), dtype=torch.float64)
    for place, beliefs in enumerate(blocks):
        states, ratios = dynamics.forth(beliefs, dynamics.floors[: step + 1])
        if step == last - 1:
            flows.append(dynamics.last_flow(states[last], None, factors))
        quotient, flows[place] = dynamics.back(step, flows[place], states, ratios, total)
        products += quotient @ states[step].T
    return products


def _first_beliefs(
    logits: Tensor, places: _Places, temperature: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Before any step.

    Returns:
        Logarithm of the belief in the true class (M, 1), beliefs in the classes of the batch (M, B), and in
        all classes by blocks (M, width), 0 in those of the batch.
    """

    def tempered(part: Tensor, minus: Tensor) -> Tensor:
        return torch.add(-minus, part.index_select(0, places.free).to(dtype), alpha=1.0 / temperature)

    top = tempered(logits.amax(dim=1, keepdim=True), logits.new_zeros(1, dtype=dtype))
    batch = tempered(logits.index_select(1, places.classes), top)
    gains = batch.gather(1, places.columns)
    total, blocks = torch.zeros_like(top, dtype=torch.float64), []
    in_batch = places.classes.tolist()
    for start in range(0, logits.shape[1], places.width):
        block = tempered(logits[:, start : start + places.width], top).exp_()
        total += block.sum(dim=1, keepdim=True)
        first, last = (bisect.bisect_left(in_batch, end) for end in (start, start + places.width))
        if first < last:
            block.index_fill_(1, places.classes[first:last] - start, 0.0)
        blocks.append(block)
    for block in (batch.exp_(), *blocks):
        block.div_(total.to(dtype))
    return gains - total.log().to(dtype), batch, blocks
