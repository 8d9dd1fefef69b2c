"""The learning rate as a function of time alone: resuming needs no scheduler state."""

from __future__ import annotations

import math
from dataclasses import dataclass

SCHEDULES = ("multistep", "cosine", "constant")


@dataclass(frozen=True)
class Schedule:
    """Learning rate: a warm-up, then steps down, a cosine, or a constant.

    Attributes:
        kind: "multistep", "cosine" or "constant".
        num_epochs: length of training; the cosine ends there.
        warmup_epochs: epochs of linear warm-up; 0 for none.
        warmup_factor: share of the rate at the start of the warm-up, in (0, 1].
        milestones: epochs after which the rate is multiplied by gamma, for "multistep".
        gamma: factor at each milestone.
        final_factor: share of the rate at the end, for "cosine".
    """

    num_epochs: int
    kind: str = "multistep"
    warmup_epochs: float = 10.0
    warmup_factor: float = 0.01
    milestones: tuple[int, ...] = (40, 70)
    gamma: float = 0.1
    final_factor: float = 0.002

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.kind!r}: expected one of {', '.join(SCHEDULES)}")
        if self.num_epochs < 1:
            raise ValueError(f"training needs at least one epoch, got {self.num_epochs}")
        if not 0 < self.warmup_factor <= 1 or not self.warmup_epochs >= 0:
            raise ValueError(
                f"warm-up needs a factor in (0, 1] and no negative length, got {self.warmup_factor} and "
                f"{self.warmup_epochs}"
            )
        if not 0 < self.gamma <= 1 or not 0 <= self.final_factor <= 1 or min(self.milestones, default=1) < 1:
            raise ValueError(
                "a schedule needs SOLVER.GAMMA in (0, 1], SOLVER.FINAL_FACTOR in [0, 1] and "
                f"SOLVER.MILESTONES from 1, got {self.gamma}, {self.final_factor} and {list(self.milestones)}"
            )

    def factor(self, epochs: float) -> float:
        """Return the share of the base rate after a number of epochs, which may be fractional."""
        warmup = 1.0
        if epochs < self.warmup_epochs:
            warmup = self.warmup_factor + (1 - self.warmup_factor) * epochs / self.warmup_epochs
        if self.kind == "multistep":
            return warmup * self.gamma ** sum(epochs >= milestone for milestone in self.milestones)
        if self.kind == "cosine":
            done = min(
                1.0, max(0.0, epochs - self.warmup_epochs) / max(1e-9, self.num_epochs - self.warmup_epochs)
            )
            return warmup * (self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * done)) / 2)
        return warmup
