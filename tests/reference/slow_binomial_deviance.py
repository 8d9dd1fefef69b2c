"""Binomial deviance as the papers write it: one anchor and one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.reference.slow_similarity import Rows


def slow_binomial_deviance_loss(
    similarity: Rows, labels: Sequence[int], *, alpha: float, beta: float, base: float
) -> float:
    total = 0.0
    for i, row in enumerate(similarity):
        pull, push = [], []
        for j, cosine in enumerate(row):
            if j != i and labels[j] == labels[i]:
                pull.append(math.log1p(math.exp(alpha * (base - cosine))))
            if labels[j] != labels[i]:
                push.append(math.log1p(math.exp(beta * (cosine - base))))
        total += math.fsum(pull) / len(pull) if pull else 0.0
        total += math.fsum(push) / len(push) if push else 0.0
    return total / len(labels)
