"""Ranked List Loss: positives inside a ball around every picture, negatives outside a larger one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

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
    """Ranked List Loss of a batch, every picture the query once and the rest of the batch its gallery.

    The part of a query without violating positives, or without violating negatives, is 0: so is the whole
    loss, with a live graph, where no pair violates its bound. Pictures that coincide are at distance 0 and
    give no gradient; coinciding pictures of different identities cost alpha times their weight.

    Args:
        embeddings: (N, D), any scale; distances are Euclidean after L2 normalisation, in [0, 2].
        labels: (N,) int64.
        alpha: distance beyond which negatives are pushed.
        margin: positives are pulled inside alpha - margin.
        temperature: sharpness of the weights exp(temperature * violation) of negatives; 0 is their mean.
        positive_temperature: the same for positives.
        negative_weight: factor of the negatives' part.
        balance: in [0, 1]; where given, the parts are weighted 1 - balance (positives) and balance.

    Returns:
        Scalar, mean over all N queries. The gradient also flows through the weights.

    Raises:
        ValueError: shapes disagree, a setting out of range, or both balance and a negative_weight.

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
    """ranked_list_loss of cosine similarities (N, N), row = query, taken as independent numbers."""
    _check(alpha, margin, temperature, positive_temperature, negative_weight, balance)
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    distance = distance_from_cosine(similarity)  # (N, N)
    positives, negatives = pair_masks(labels)
    pull = _mean_violation(distance - (alpha - margin), positives, positive_temperature)  # (N,)
    push = _mean_violation(alpha - distance, negatives, temperature)  # (N,)
    pull_share, push_share = (1.0, negative_weight) if balance is None else (1.0 - balance, balance)
    return (pull_share * pull + push_share * push).mean()


class RankedListLoss(nn.Module):
    """ranked_list_loss with its settings, all stored; either negative_weight or balance is given.

    Args:
        alpha: Euclidean distance between unit vectors from which negatives are left alone.
        margin: positives are left alone below alpha - margin.
        temperature: how much harder negatives weigh more; 0: not at all.
        positive_temperature: the same of positives.
        negative_weight: of the negatives' part; that of the positives is 1.
        balance: in [0, 1]: the parts weigh 1 - balance and balance instead; None: negative_weight is used.
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

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        logits: Tensor | None = None,
        anchors: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Scalar loss of embeddings (N, D) and labels (N,); logits are only checked."""
        return self.from_similarity(pair_similarity(embeddings, labels, logits=logits), labels)

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
    """Mean of the positive excesses of each row's pairs under weights exp(temperature * excess), (N,)."""
    violating = pairs & (excess > 0)
    # a softmax subtracts the largest exponent of the row, so that no temperature overflows; the lowest finite
    # number instead of -inf, so that a row without violations has no NaN
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
