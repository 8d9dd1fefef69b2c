"""Circle loss with class-level labels as the paper writes it: one embedding and one class at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.reference.slow_similarity import Rows, slow_cosine_distance


def slow_circle_classifier_loss(
    embeddings: Rows,
    labels: Sequence[int],
    *,
    weight: Rows,
    margin: float,
    scale: float,
    weighted_as_at: tuple[Rows, Rows] | None = None,
) -> float:
    """log(1 + sum over other classes of exp(scale * (a_n (s_n - margin) - a_p (s_p - (1 - margin))))).

    weighted_as_at: embeddings and weight whose cosines give a_p and a_n, which are constants to the
    gradient; None takes the same ones.
    """
    cosines = _cosines(embeddings, weight)
    fixed = cosines if weighted_as_at is None else _cosines(*weighted_as_at)
    total = 0.0
    for i, label in enumerate(labels):
        own_factor = max(0.0, 1 + margin - fixed[i][label])
        own = own_factor * (cosines[i][label] - (1 - margin))
        others = []
        for c, cosine in enumerate(cosines[i]):
            if c != label:
                other = max(0.0, fixed[i][c] + margin) * (cosine - margin)
                others.append(math.exp(scale * (other - own)))
        total += math.log1p(math.fsum(others))
    return total / len(labels)


def _cosines(first: Rows, second: Rows) -> list[list[float]]:
    return [[1 - distance for distance in row] for row in slow_cosine_distance(first, second)]
