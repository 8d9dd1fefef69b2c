"""The steps of the replicator dynamics for a block of classes, and the chain rule back through them."""

from __future__ import annotations

import torch
from torch import Tensor

from reid_gl.losses.replicator import SMALLEST_SUPPORT


class ReplicatorSteps:
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

    def to(self, dtype: torch.dtype) -> ReplicatorSteps:
        """The same in another number format."""
        other = ReplicatorSteps()
        for name, tensors in vars(self).items():
            setattr(other, name, [tensor.to(dtype) for tensor in tensors])
        return other

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
