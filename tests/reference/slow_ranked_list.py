"""Ranked List Loss as the papers write it: one query and one pair at a time, on cosine similarities."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.reference.slow_similarity import Rows


def slow_ranked_list_loss(
    similarity: Rows,
    labels: Sequence[int],
    *,
    alpha: float,
    margin: float,
    temperature: float,
    positive_temperature: float,
    pull_share: float,
    push_share: float,
) -> float:
    total = 0.0
    for i, row in enumerate(similarity):
        too_far, too_near = [], []
        for j, cosine in enumerate(row):
            distance = math.sqrt(max(0.0, 2 - 2 * cosine))
            if j == i:
                continue
            if labels[j] == labels[i] and distance > alpha - margin:
                too_far.append(distance - (alpha - margin))
            if labels[j] != labels[i] and distance < alpha:
                too_near.append(alpha - distance)
        total += pull_share * _weighted_mean(too_far, positive_temperature)
        total += push_share * _weighted_mean(too_near, temperature)
    return total / len(labels)


def _weighted_mean(violations: Sequence[float], temperature: float) -> float:
    weights = [math.exp(temperature * violation) for violation in violations]
    if not weights:
        return 0.0
    return math.fsum(w * v for w, v in zip(weights, violations, strict=True)) / math.fsum(weights)
