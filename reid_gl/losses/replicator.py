"""Replicator dynamics, the plain version: memory grows with the number of steps times classes.

Group Loss computes the same beliefs in bounded memory (`refinement`). This version is the reference that
`refinement` is tested against, and the one to use when the beliefs themselves are needed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_SUPPORT = 1e-20
"""Added to every support: a row without support keeps its belief, and no logarithm is infinite."""


def replicator_dynamics(
    similarities: Tensor, log_beliefs: Tensor, truth: Tensor, anchors: Tensor, num_steps: int
) -> Tensor:
    """Refine the class beliefs of each row with the beliefs of similar rows.

    Each step multiplies beliefs by their support, which is the similarity-weighted sum of the beliefs of all
    rows, and normalises each row. One-hot rows are fixed points, so anchors never change.

    Args:
        similarities: (N, N), not negative.
        log_beliefs: (N, C) log-probabilities; the probabilities of each row sum to 1.
        truth: (N, C) one-hot rows, used in place of the beliefs where anchors is true.
        anchors: (N,) bool.
        num_steps: number of updates.

    Returns:
        (N, C) log of the refined beliefs; the rows of anchors have no meaning.

    Source:
        Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020, section 3.2.
    """
    for _ in range(num_steps):
        beliefs = torch.where(anchors[:, None], truth, log_beliefs.exp())
        support = similarities @ beliefs  # (N, C)
        log_beliefs = F.log_softmax(log_beliefs + (support + SMALLEST_SUPPORT).log(), dim=1)
    return log_beliefs
