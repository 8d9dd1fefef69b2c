"""The weighted sum of several losses; terms have names for the log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reid_gl.losses.pairs import check_batch
from reid_gl.records import FEATURES, ReidOutput


@dataclass(frozen=True)
class LossTerm:
    """One weighted loss of a sum.

    Attributes:
        name: its name in logs.
        loss: module called (embeddings, labels, *, logits, anchors, generator).
        weight: factor in the sum.
        feature: which embedding it gets, "before_neck" or "after_neck".
        lr_factor: learning rate of its own parameters (proxies or centres), as a multiple of the base rate.
    """

    name: str
    loss: nn.Module
    weight: float = 1.0
    feature: str = "before_neck"
    lr_factor: float = 1.0


class WeightedSum(nn.Module):
    """The weighted sum of named losses on a network's output."""

    def __init__(self, terms: Sequence[LossTerm]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("no loss was given: name at least one in LOSS.NAMES")
        if len({term.name for term in terms}) < len(terms):
            raise ValueError(f"two loss terms share a name: {', '.join(term.name for term in terms)}")
        for term in terms:
            if term.feature not in FEATURES:
                raise ValueError(f"unknown feature {term.feature!r}: expected one of {', '.join(FEATURES)}")
            if not 0 <= term.weight < math.inf:
                raise ValueError(f"the weight of {term.name} must be at least 0, got {term.weight}")
            if not term.lr_factor > 0:
                raise ValueError(f"the rate factor of {term.name} must be positive, got {term.lr_factor}")
        self.terms = tuple(terms)
        self.losses = nn.ModuleDict({term.name: term.loss for term in terms})

    def forward(
        self, output: ReidOutput, labels: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the weighted total and the detached, unweighted terms.

        Args:
            output: the network's output for N images.
            labels: (N,) int64.
            generator: CPU random state for losses that draw random numbers.

        Returns:
            The scalar to minimise, and a scalar for each term by name.

        Raises:
            TypeError, ValueError: see check_batch.
        """
        for feature in {term.feature: None for term in self.terms}:  # a custom loss may not check its inputs
            check_batch(getattr(output, feature), labels, logits=output.logits)
        total = output.logits.new_zeros(())
        values: dict[str, Tensor] = {}
        for term in self.terms:
            embeddings = getattr(output, term.feature)
            value = term.loss(embeddings, labels, logits=output.logits, generator=generator)
            total = total + term.weight * value
            values[term.name] = value.detach()
        return total, values
