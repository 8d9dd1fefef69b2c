"""Ranked List Loss: pull positives inside a ball around each image, push negatives outside a larger one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reid_gl.losses.batch_loss import PairLoss
from reid_gl.losses.pairs import distance_from_cosine, pair_masks, pair_similarity


def ranked_list_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    alpha: float = 1.2,
    margin: float = 0.4,
    temperature: float = 10.0,
    positive_temperature: float = 0.0,
    negative_weight: float = 1.0,
    balance: float | None = None,
) -> Tensor:
    """Ranked List Loss of a batch: each image is the query once, with the rest of the batch as gallery.

    A query without violating positives (or negatives) contributes 0 for that part. If no pair violates its
    bound, the loss is 0 with a live graph. Images with the same embedding are at distance 0 and get no
    gradient from their pair; if their identities differ, the pair contributes alpha times its weight.

    Args:
        embeddings: (N, D), any scale; distances are Euclidean after L2 normalisation, in [0, 2].
        labels: (N,) int64.
        alpha: distance beyond which negatives are pushed.
        margin: positives are pulled to within alpha - margin.
        temperature: sharpness of the weights exp(temperature * violation) of negatives; 0 weights all
            violating negatives equally.
        positive_temperature: the same for positives.
        negative_weight: weight of the negatives' part; that of the positives' part is 1.
        balance: in [0, 1]; if given, the parts have weights 1 - balance (positives) and balance (negatives).

    Returns:
        Scalar, mean over all N queries. The gradient also flows through the weights.

    Raises:
        ValueError: shapes disagree, a setting is out of range, or both balance and negative_weight are set.

    Source:
        Wang et al., "Ranked List Loss for Deep Metric Learning", CVPR 2019, section 3 (the defaults); TPAMI
        2021 adds positive_temperature and balance, and its RLL-Simpler is alpha = 1 + margin / 2 with
        positive_temperature = 0. pytorch-metric-learning's RankedListLoss(margin, Tn, imbalance, alpha, Tp)
        is (margin, temperature, balance, alpha, positive_temperature) here, but it adds 1e-5 per row of the
        batch to the sum of weights, and leaves out negatives at distance exactly 0.
    """
    return ranked_list_loss_of_similarity(
        pair_similarity(embeddings, labels),
        labels,
        alpha=alpha,
        margin=margin,
        temperature=temperature,
        positive_temperature=positive_temperature,
        negative_weight=negative_weight,
        balance=balance,
    )


def ranked_list_loss_of_similarity(
    similarity: Tensor,
    labels: Tensor,
    *,
    alpha: float = 1.2,
    margin: float = 0.4,
    temperature: float = 10.0,
    positive_temperature: float = 0.0,
    negative_weight: float = 1.0,
    balance: float | None = None,
) -> Tensor:
    """ranked_list_loss of cosine similarities (N, N), row = query, treated as independent inputs."""
    _check(alpha, margin, temperature, positive_temperature, negative_weight, balance)
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    distance = distance_from_cosine(similarity)  # (N, N)
    positives, negatives = pair_masks(labels)
    pull = _mean_violation(distance - (alpha - margin), positives, positive_temperature)  # (N,)
    push = _mean_violation(alpha - distance, negatives, temperature)  # (N,)
    pull_share, push_share = (1.0, negative_weight) if balance is None else (1.0 - balance, balance)
    return (pull_share * pull + push_share * push).mean()


class RankedListLoss(PairLoss):
    """ranked_list_loss as a module; set negative_weight or balance, not both.

    Args:
        alpha: Euclidean distance between unit vectors beyond which negatives cost nothing.
        margin: positives closer than alpha - margin cost nothing.
        temperature: how much more harder negatives weigh; 0 weights all violating negatives equally.
        positive_temperature: the same for positives.
        negative_weight: weight of the negatives' part; that of the positives' part is 1.
        balance: in [0, 1]: the parts have weights 1 - balance and balance; None: negative_weight is used.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.2,
        margin: float = 0.4,
        temperature: float = 10.0,
        positive_temperature: float = 0.0,
        negative_weight: float = 1.0,
        balance: float | None = None,
    ) -> None:
        super().__init__()
        _check(alpha, margin, temperature, positive_temperature, negative_weight, balance)
        self.alpha = alpha
        self.margin = margin
        self.temperature = temperature
        self.positive_temperature = positive_temperature
        self.negative_weight = negative_weight
        self.balance = balance

    def from_similarity(self, similarity: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of cosine similarities (N, N), row = query, and labels (N,)."""
        return ranked_list_loss_of_similarity(
            similarity,
            labels,
            alpha=self.alpha,
            margin=self.margin,
            temperature=self.temperature,
            positive_temperature=self.positive_temperature,
            negative_weight=self.negative_weight,
            balance=self.balance,
        )


def _mean_violation(excess: Tensor, pairs: Tensor, temperature: float) -> Tensor:
    """Mean of each row's positive excesses over its pairs, weighted by exp(temperature * excess), (N,)."""
    violating = pairs & (excess > 0)
    # softmax subtracts the largest exponent of the row, so no temperature overflows. The mask value is the
    # lowest finite number instead of -inf, because a row of -inf only would give NaN.
    lowest = torch.finfo(excess.dtype).min
    weights = (temperature * excess).masked_fill(~violating, lowest).softmax(dim=1)
    return torch.where(violating, weights * excess, 0.0).sum(dim=1)


def _check(
    alpha: float,
    margin: float,
    temperature: float,
    positive_temperature: float,
    negative_weight: float,
    balance: float | None,
) -> None:
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be a positive number, got {alpha}")
    if not 0 <= margin <= alpha:
        raise ValueError(f"the margin must lie in [0, alpha] = [0, {alpha}], got {margin}")
    named = {"temperature": temperature, "positive temperature": positive_temperature}
    for name, value in {**named, "negative weight": negative_weight}.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"the {name} must be a number of at least 0, got {value}")
    if balance is not None and not 0 <= balance <= 1:
        raise ValueError(f"the balance must lie in [0, 1], got {balance}")
    if balance is not None and negative_weight != 1:
        raise ValueError(f"balance {balance} takes the place of negative weight {negative_weight}: give one")
