"""Steps of the replicator dynamics for a block of classes, forward and backward.

With X_t the beliefs after t steps, W the similarities of the M free rows and s_t the normaliser of each row,

    X_{t+1} = X_t * R_t,    R_t = shares_t @ X_t + offsets_t,    shares_t = W / s_t.

The offsets are the support of the anchors in the classes of the batch (`anchored`), and SMALLEST_SUPPORT in
all other classes (`floors`), both divided by s_t.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reid_gl.losses.replicator import SMALLEST_SUPPORT


class ReplicatorSteps:
    """Coefficients of every step so far, and the steps themselves for any block of classes.

    The backward pass uses two quantities, both (M, any number of classes):

    - `flow`: gradient with respect to log X_t, before normalisation.
    - `quotient`: gradient with respect to the log of a step's support, divided by the step's ratios R_t; that
      is, the gradient with respect to R_t.

    Attributes:
        shares: (M, M) per step, similarities divided by the row's normaliser.
        anchored: (M, B) per step, support of the anchors plus SMALLEST_SUPPORT, divided likewise.
        floors: (M, 1) per step, SMALLEST_SUPPORT divided likewise.
        divisors: (M, 1) per step, the normaliser s_t.
    """

    def __init__(self) -> None:
        self.shares: list[Tensor] = []
        self.anchored: list[Tensor] = []
        self.floors: list[Tensor] = []
        self.divisors: list[Tensor] = []

    def append(self, weights: Tensor, from_anchors: Tensor, support: Tensor) -> None:
        """Add a step: similarities (M, M), anchors' support (M, B), mean support under the beliefs (M, 1)."""
        divisor = support + SMALLEST_SUPPORT
        self.divisors.append(divisor)
        self.shares.append(weights / divisor)
        self.anchored.append((from_anchors + SMALLEST_SUPPORT) / divisor)
        self.floors.append(SMALLEST_SUPPORT / divisor)

    def to(self, dtype: torch.dtype) -> ReplicatorSteps:
        """A copy in another floating-point type."""
        other = ReplicatorSteps()
        for name, tensors in vars(self).items():
            setattr(other, name, [tensor.to(dtype) for tensor in tensors])
        return other

    def forth(self, beliefs: Tensor, offsets: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Beliefs after 0, 1, ... steps and the ratios R_t of each step, all (M, any); a step per offset."""
        states, ratios = [beliefs], []
        for share, offset in zip(self.shares, offsets, strict=False):
            ratios.append(torch.addmm(offset, share, states[-1]))
            states.append(states[-1] * ratios[-1])
        return states, ratios

    def last_flow(self, states: Tensor, push: Tensor | None, factors: Tensor) -> Tensor:
        """Flow before the last step, without the part of the true class's own belief.

        Gradient of the log-normalisers, sum_i factors_i log s_i, with respect to log X: it equals
        X * ((G + G^T) @ X + push) with G = factors * shares. In the classes of the batch the caller also puts
        the support of the true class into `push`.

        Args:
            states: (M, any) beliefs before the last step.
            push: (M, any) part that does not depend on `states`; None for classes outside the batch.
            factors: (M, 1) gradient with respect to each row's loss.
        """
        pulled = factors * self.shares[-1]
        push = factors * self.floors[-1] if push is None else push
        return torch.addmm(push, pulled + pulled.T, states).mul_(states)

    def back(
        self, step: int, flow: Tensor, states: list[Tensor], ratios: list[Tensor], total: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Backward through one step.

        Args:
            step: index of the step.
            flow: (M, any) flow after the step.
            states: beliefs from `forth`, at least up to `step` + 1.
            ratios: ratios from `forth`, at least up to `step`.
            total: (M, 1) row sums of the flow over all classes: the gradient of normalisation is
                flow - X * total.

        Returns:
            The quotient of this step, and the flow before it.
        """
        flow = torch.addcmul(flow, states[step + 1], total, value=-1.0)
        quotient = flow / ratios[step]
        return quotient, flow.addcmul_(states[step], self.shares[step].T @ quotient)
