"""Binomial deviance: a logistic loss on every pair, averaged separately over positives and negatives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.losses.batch_loss import PairLoss
from reid_gl.losses.pairs import check_slopes, pair_masks, pair_similarity


def binomial_deviance_loss(
    embeddings: Tensor, labels: Tensor, *, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5
) -> Tensor:
    """Mean over anchors of the mean logistic loss of their positives plus that of their negatives.

    An anchor without positives (or negatives) contributes 0 for that part. A batch of a single image gives 0
    with a live graph.

    Args:
        embeddings: (N, D), any scale; similarities are cosines.
        labels: (N,) int64.
        alpha: slope on positives, log(1 + exp(alpha * (base - similarity))).
        beta: slope on negatives, log(1 + exp(beta * (similarity - base))).
        base: similarity at which the loss of a pair is log 2.

    Returns:
        Scalar, mean over all N anchors, nats.

    Raises:
        ValueError: shapes disagree, or a setting is out of range.

    Source:
        Yi et al., "Deep Metric Learning for Person Re-Identification", ICPR 2014, in the form of Wang et al.,
        "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR 2019, section 3.
    """
    return binomial_deviance_loss_of_similarity(
        pair_similarity(embeddings, labels), labels, alpha=alpha, beta=beta, base=base
    )


def binomial_deviance_loss_of_similarity(
    similarity: Tensor, labels: Tensor, *, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5
) -> Tensor:
    """binomial_deviance_loss of cosine similarities (N, N), row = anchor, treated as independent inputs."""
    check_slopes(alpha, beta, base)
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    positives, negatives = pair_masks(labels)
    pull = _mean_logistic(alpha * (base - similarity), positives)  # (N,)
    push = _mean_logistic(beta * (similarity - base), negatives)  # (N,)
    return (pull + push).mean()


class BinomialDevianceLoss(PairLoss):
    """binomial_deviance_loss as a module.

    Args:
        alpha: slope on positives.
        beta: slope on negatives.
        base: cosine at which the loss of a pair is log 2.
    """

    def __init__(self, *, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5) -> None:
        super().__init__()
        check_slopes(alpha, beta, base)
        self.alpha = alpha
        self.beta = beta
        self.base = base

    def from_similarity(self, similarity: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of cosine similarities (N, N), row = anchor, and labels (N,)."""
        return binomial_deviance_loss_of_similarity(
            similarity, labels, alpha=self.alpha, beta=self.beta, base=self.base
        )


def _mean_logistic(exponents: Tensor, pairs: Tensor) -> Tensor:
    """Mean of log(1 + exp(exponent)) over each row's pairs, (N,); 0 for a row without pairs."""
    # not softplus: it returns its argument beyond 20, which is wrong by up to 2e-9
    losses = torch.where(pairs, -F.logsigmoid(-exponents), 0.0)
    return losses.sum(dim=1) / pairs.sum(dim=1).clamp_min(1)
