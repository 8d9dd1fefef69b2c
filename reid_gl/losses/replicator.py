"""Replicator dynamics, written plainly: its memory grows with steps times classes.

Group Loss computes the same beliefs in bounded memory (`refinement`); this is what that is checked against,
and what to use where the beliefs themselves are wanted.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_SUPPORT = 1e-20
"""Added to every support: a row that nobody supports keeps its belief, and no logarithm is infinite."""


def replicator_dynamics(
    similarities: Tensor, log_beliefs: Tensor, truth: Tensor, anchors: Tensor, num_steps: int
) -> Tensor:
    """Move every row's belief towards the classes that similar rows believe in.

    Each step multiplies the beliefs by their support, the similarity-weighted sum of all rows' beliefs,
    and normalises the rows. One-hot rows are fixed points, so anchors never move.

    Args:
        similarities: (N, N), not negative.
        log_beliefs: (N, C) logarithms of rows that sum to 1.
        truth: (N, C) one-hot rows, used where anchors is true.
        anchors: (N,) bool.
        num_steps: number of updates.

    Returns:
        (N, C) logarithms of the refined beliefs; rows of anchors are not meant to be read.

    Source:
        Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020, section 3.2.
    """
    for _ in range(num_steps):
        beliefs = torch.where(anchors[:, None], truth, log_beliefs.exp())
        support = similarities @ beliefs  # (N, C)
        log_beliefs = F.log_softmax(log_beliefs + (support + SMALLEST_SUPPORT).log(), dim=1)
    return log_beliefs
