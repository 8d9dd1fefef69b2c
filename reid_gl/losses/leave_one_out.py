"""Leave-one-out Group Loss: predicts every image of the batch once, from the labels of all others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.losses.pairs import check_labels_in_range
from reid_gl.losses.replicator import SMALLEST_SUPPORT

POSITIVES = ("sum", "geometric")


def leave_one_out_cross_entropy(
    weights: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    num_steps: int,
    temperature: float,
    positives: str = "sum",
) -> Tensor:
    """Negative log of the belief in the true class, with all other images as anchors.

    Anchors have fixed beliefs, so the support of a row is the same in every step. T steps of the replicator
    dynamics therefore have a closed form: belief ~ prior * support^T. Only the classes of the batch have
    support. The beliefs in all other classes become 0 in the first step, so their logits are not read.

    Args:
        weights: (N, N) non-negative similarities, float32 or better; the diagonal is not used.
        logits: (N, C); softmax(logits / temperature) is the prior.
        labels: (N,) int64 in [0, C).
        num_steps: T, at least 1.
        temperature: positive.
        positives: how to compute the support of the true class: the "sum" of its weights, or their number
            times their "geometric" mean.

    Returns:
        (M,) nats, for the M rows with another image of their class in the batch. The other rows are left
        out: their loss would be infinite for any embeddings.

    Raises:
        ValueError: a label outside [0, C).
    """
    check_labels_in_range(labels, logits.shape[1])
    classes, columns = labels.unique(return_inverse=True)  # (B,), (N,)
    # a sharp kernel has very small weights; float64 keeps their sums exact, and is cheap for N x N
    exact = torch.float32 if logits.device.type == "mps" else torch.float64
    members = F.one_hot(columns, len(classes)).to(exact)  # (N, B)
    others = 1.0 - torch.eye(len(labels), dtype=exact, device=labels.device)
    weights, dtype = weights.to(exact) * others, weights.dtype
    log_support = (weights @ members + SMALLEST_SUPPORT).log()  # (N, B)
    is_partner = (columns[:, None] == columns) * others  # (N, N)
    num_partners = is_partner.sum(dim=1)  # (N,)
    if positives == "geometric":
        log_weights = torch.where(weights > 0, weights, SMALLEST_SUPPORT).log()
        mean = (log_weights * is_partner).sum(dim=1) / num_partners.clamp_min(1.0)
        own = mean + num_partners.clamp_min(1.0).log()
        log_support = torch.where(members > 0, own[:, None], log_support)
    prior = logits.index_select(1, classes).to(exact) / temperature
    counts = num_partners > 0
    scores = (prior + num_steps * log_support)[counts]
    return F.cross_entropy(scores, columns[counts], reduction="none").to(dtype)
