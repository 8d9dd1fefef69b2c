"""Multi-Similarity loss as the paper writes it: mining and sums, one anchor and one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.reference.slow_similarity import Rows


def slow_multi_similarity_loss(
    similarity: Rows,
    labels: Sequence[int],
    *,
    alpha: float,
    beta: float,
    base: float,
    epsilon: float | None,
) -> float:
    total = 0.0
    for i in range(len(labels)):
        positives, negatives = slow_mining(similarity[i], labels, i, epsilon=epsilon)
        pull = math.fsum(math.exp(-alpha * (s - base)) for s in positives)
        push = math.fsum(math.exp(beta * (s - base)) for s in negatives)
        total += math.log(1 + pull) / alpha + math.log(1 + push) / beta
    return total / len(labels)


def slow_mining(
    row: Sequence[float], labels: Sequence[int], anchor: int, *, epsilon: float | None
) -> tuple[list[float], list[float]]:
    """Similarities of the positives and of the negatives of one anchor that are kept."""
    others = [j for j in range(len(labels)) if j != anchor]
    positives = [row[j] for j in others if labels[j] == labels[anchor]]
    negatives = [row[j] for j in others if labels[j] != labels[anchor]]
    if epsilon is None:
        return positives, negatives
    least_positive = min(positives, default=math.inf)
    most_negative = max(negatives, default=-math.inf)
    return (
        [s for s in positives if s < most_negative + epsilon],
        [s for s in negatives if s > least_positive - epsilon],
    )
