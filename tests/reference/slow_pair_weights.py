"""The closed forms of General Pair Weighting, N |dL/dS_ij|, one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tests.reference.slow_similarity import Rows

Weights = list[list[float]]


def slow_contrastive_weights(similarity: Rows, labels: Sequence[int], *, threshold: float) -> Weights:
    """1 for every positive, 1 for negatives above the threshold: the loss is 1/N times a sum over pairs."""
    weights = _zeros(labels)
    for i in range(len(labels)):
        for j in _positives(labels, i):
            weights[i][j] = 1.0
        for j in _negatives(labels, i):
            weights[i][j] = 1.0 if similarity[i][j] > threshold else 0.0
    return weights


def slow_triplet_weights(similarity: Rows, labels: Sequence[int], *, margin: float) -> Weights:
    """1 for both pairs of every triplet with S_an - S_ap + margin > 0: 1/N times a sum over triplets."""
    weights = _zeros(labels)
    for i in range(len(labels)):
        for j in _positives(labels, i):
            for k in _negatives(labels, i):
                if similarity[i][k] - similarity[i][j] + margin > 0:
                    weights[i][j] += 1.0
                    weights[i][k] += 1.0
    return weights


def slow_generalized_lifted_weights(
    similarity: Rows, labels: Sequence[int], *, positive_margin: float, negative_margin: float
) -> Weights:
    """Softmax weights: 1/N sum_i [log sum_P e^(m+ - S_ij) + log sum_N e^(S_ij - m-)]+ ."""
    weights = _zeros(labels)
    for i in range(len(labels)):
        positive = {j: math.exp(positive_margin - similarity[i][j]) for j in _positives(labels, i)}
        negative = {j: math.exp(similarity[i][j] - negative_margin) for j in _negatives(labels, i)}
        if not positive or not negative:
            continue
        if math.log(math.fsum(positive.values())) + math.log(math.fsum(negative.values())) > 0:
            for powers in (positive, negative):
                for j, power in powers.items():
                    weights[i][j] = power / math.fsum(powers.values())
    return weights


def slow_lifted_weights(
    similarity: Rows, labels: Sequence[int], *, positive_margin: float, negative_margin: float
) -> Weights:
    """Softmax weights times the hinge they stand under: the mean of J^2 / 2 over all positive pairs (i, j).

    J = [log sum e^(S_kn - m-) + m+ - S_ij]+ , summed over the negatives n of both k = i and k = j.
    """
    weights = _zeros(labels)
    pairs = [(i, j) for i in range(len(labels)) for j in _positives(labels, i)]
    for i, j in pairs:
        powers = {
            (k, n): math.exp(similarity[k][n] - negative_margin)
            for k in (i, j)
            for n in _negatives(labels, k)
        }
        if not powers:
            continue
        total = math.fsum(powers.values())
        hinge = max(0.0, math.log(total) + positive_margin - similarity[i][j])
        factor = len(labels) / len(pairs) * hinge
        weights[i][j] += factor
        for (k, n), power in powers.items():
            weights[k][n] += factor * power / total
    return weights


def slow_binomial_deviance_weights(
    similarity: Rows, labels: Sequence[int], *, alpha: float, beta: float, base: float
) -> Weights:
    """Sigmoid weights, each divided by how many pairs of its kind the anchor has."""
    weights = _zeros(labels)
    for i in range(len(labels)):
        positives, negatives = _positives(labels, i), _negatives(labels, i)
        for j in positives:
            weights[i][j] = alpha * _sigmoid(alpha * (base - similarity[i][j])) / len(positives)
        for j in negatives:
            weights[i][j] = beta * _sigmoid(beta * (similarity[i][j] - base)) / len(negatives)
    return weights


def slow_multi_similarity_weights(
    similarity: Rows,
    labels: Sequence[int],
    *,
    alpha: float,
    beta: float,
    base: float,
    epsilon: float | None,
) -> Weights:
    """Both formulas of the paper, over the pairs that its mining keeps; epsilon None keeps all."""
    weights = _zeros(labels)
    for i in range(len(labels)):
        row = similarity[i]
        positives, negatives = _mined(row, _positives(labels, i), _negatives(labels, i), epsilon)
        for j in positives:
            others = math.fsum(math.exp(-alpha * (row[k] - row[j])) for k in positives)
            weights[i][j] = 1 / (math.exp(-alpha * (base - row[j])) + others)
        for j in negatives:
            others = math.fsum(math.exp(beta * (row[k] - row[j])) for k in negatives)
            weights[i][j] = 1 / (math.exp(beta * (base - row[j])) + others)
    return weights


def slow_derivative(value: Callable[[Weights], float], similarity: Rows, step: float = 1e-5) -> Weights:
    """N |dL/dS_ij| of any function of the similarities, by central differences of every entry alone."""
    weights = []
    for i, row in enumerate(similarity):
        weights.append([0.0] * len(row))
        for j in range(len(row)):
            sides = []
            for moved in (row[j] + step, row[j] - step):
                changed = [list(other) for other in similarity]
                changed[i][j] = moved
                sides.append(value(changed))
            weights[i][j] = len(similarity) * abs(sides[0] - sides[1]) / (2 * step)
    return weights


def _mined(
    row: Sequence[float], positives: list[int], negatives: list[int], epsilon: float | None
) -> tuple[list[int], list[int]]:
    if epsilon is None:
        return positives, negatives
    if not positives or not negatives:
        return [], []
    hardest_positive = min(row[k] for k in positives)
    hardest_negative = max(row[k] for k in negatives)
    return (
        [j for j in positives if row[j] < hardest_negative + epsilon],
        [j for j in negatives if row[j] > hardest_positive - epsilon],
    )


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _zeros(labels: Sequence[int]) -> Weights:
    return [[0.0] * len(labels) for _ in labels]


def _positives(labels: Sequence[int], i: int) -> list[int]:
    return [j for j in range(len(labels)) if j != i and labels[j] == labels[i]]


def _negatives(labels: Sequence[int], i: int) -> list[int]:
    return [j for j in range(len(labels)) if labels[j] != labels[i]]
