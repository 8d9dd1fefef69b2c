"""Multi-Similarity loss: soft counts of each image's hard positives and hard negatives."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.losses.batch_loss import PairLoss
from reid_gl.losses.pairs import check_slopes, pair_masks, pair_similarity


def multi_similarity_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    alpha: float = 2.0,
    beta: float = 40.0,
    base: float = 0.5,
    epsilon: float | None = 0.1,
) -> Tensor:
    """Multi-Similarity loss of a batch, in [0, infinity), over the pairs that mining keeps.

    An empty sum over pairs contributes log 1 = 0. Mining compares pairs with the least similar positive and
    the most similar negative. So an anchor without positives keeps no negatives, an anchor without negatives
    keeps no positives, and both contribute 0. A batch of one identity, or of one image per identity, gives 0
    with a live graph.

    Args:
        embeddings: (N, D), any scale; similarities are cosines.
        labels: (N,) int64.
        alpha: sharpness on positives, exp(-alpha * (similarity - base)).
        beta: sharpness on negatives, exp(beta * (similarity - base)).
        base: similarity at which a pair contributes 1 to the sum inside the logarithm.
        epsilon: keep negatives above the least similar positive less epsilon, and positives below the most
            similar negative plus epsilon; None keeps every pair.

    Returns:
        Scalar, mean over all N anchors.

    Raises:
        ValueError: shapes disagree, or a setting is out of range.

    Source:
        Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR 2019,
        section 4. The authors' code leaves out an anchor if mining keeps no positive or no negative of it.
        This loss and pytorch-metric-learning follow the formula, which counts the remaining part.
    """
    return multi_similarity_loss_of_similarity(
        pair_similarity(embeddings, labels), labels, alpha=alpha, beta=beta, base=base, epsilon=epsilon
    )


def multi_similarity_loss_of_similarity(
    similarity: Tensor,
    labels: Tensor,
    *,
    alpha: float = 2.0,
    beta: float = 40.0,
    base: float = 0.5,
    epsilon: float | None = 0.1,
) -> Tensor:
    """multi_similarity_loss of cosine similarities (N, N), row = anchor, treated as independent inputs."""
    _check(alpha, beta, base, epsilon)
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    positives, negatives = pair_masks(labels)
    if epsilon is not None:
        positives, negatives = mine_pairs(similarity, positives, negatives, epsilon)
    pull = _log_one_plus_sum(alpha * (base - similarity), positives) / alpha  # (N,)
    push = _log_one_plus_sum(beta * (similarity - base), negatives) / beta  # (N,)
    return (pull + push).mean()


def mine_pairs(
    similarity: Tensor, positives: Tensor, negatives: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Keep the pairs of each row that are hard compared with the hardest pair of the other kind.

    Args:
        similarity: (N, N), row = anchor.
        positives: (N, N) bool.
        negatives: (N, N) bool.
        epsilon: slack: how much easier a pair may be than the hardest pair of the other kind.

    Returns:
        The kept positives and the kept negatives, (N, N) bool each. A row without positives keeps no
        negatives, and a row without negatives keeps no positives.
    """
    least_similar_positive = similarity.masked_fill(~positives, math.inf).amin(dim=1, keepdim=True)
    most_similar_negative = similarity.masked_fill(~negatives, -math.inf).amax(dim=1, keepdim=True)
    hard_positives = positives & (similarity < most_similar_negative + epsilon)
    hard_negatives = negatives & (similarity > least_similar_positive - epsilon)
    return hard_positives, hard_negatives


class MultiSimilarityLoss(PairLoss):
    """multi_similarity_loss as a module; the defaults are those of the authors' code.

    Args:
        alpha: sharpness on positives.
        beta: sharpness on negatives.
        base: cosine at which a pair contributes 1 to the sum inside the logarithm.
        epsilon: slack of mining, a difference of cosines; None turns mining off and keeps all pairs.
    """

    def __init__(
        self, *, alpha: float = 2.0, beta: float = 40.0, base: float = 0.5, epsilon: float | None = 0.1
    ) -> None:
        super().__init__()
        _check(alpha, beta, base, epsilon)
        self.alpha = alpha
        self.beta = beta
        self.base = base
        self.epsilon = epsilon

    def from_similarity(self, similarity: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of cosine similarities (N, N), row = anchor, and labels (N,)."""
        return multi_similarity_loss_of_similarity(
            similarity, labels, alpha=self.alpha, beta=self.beta, base=self.base, epsilon=self.epsilon
        )


def _log_one_plus_sum(exponents: Tensor, pairs: Tensor) -> Tensor:
    """log(1 + sum of exp(exponent) over each row's pairs), (N,), without overflow."""
    # the added column of zeros is the 1, since exp(0) = 1; it also keeps a row without pairs finite
    padded = F.pad(exponents.masked_fill(~pairs, -math.inf), (0, 1))  # (N, N + 1)
    return padded.logsumexp(dim=1)


def _check(alpha: float, beta: float, base: float, epsilon: float | None) -> None:
    check_slopes(alpha, beta, base)
    if epsilon is not None and not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon must be a number of at least 0, or None for no mining, got {epsilon}")
