"""The losses taken from pytorch-metric-learning, literally from their papers, with loops over images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

Rows = Sequence[Sequence[float]]
Labels = Sequence[int]


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    return dot / math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))


def euclidean(first: Sequence[float], second: Sequence[float]) -> float:
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)))


def anchors(labels: Labels) -> Iterator[tuple[int, list[int], list[int]]]:
    """(anchor, its positives, its negatives)"""
    numbers = range(len(labels))
    for i in numbers:
        positives = [j for j in numbers if j != i and labels[j] == labels[i]]
        yield i, positives, [j for j in numbers if labels[j] != labels[i]]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def mean_of_nonzero(values: Sequence[float]) -> float:
    return mean([value for value in values if value > 0])


def slow_triplet_loss(rows: Rows, labels: Labels, *, margin: float | None) -> float:
    """margin None is the soft one."""
    losses = []
    for i, positives, negatives in anchors(labels):
        if positives and negatives:
            farthest = max(euclidean(rows[i], rows[j]) for j in positives)
            nearest = min(euclidean(rows[i], rows[j]) for j in negatives)
            if margin is None:
                losses.append(math.log1p(math.exp(farthest - nearest)))
            else:
                losses.append(max(0.0, margin + farthest - nearest))
    return mean(losses)


def slow_circle_loss(rows: Rows, labels: Labels, *, margin: float, scale: float) -> float:
    losses = []
    for i, positives, negatives in anchors(labels):
        if not positives or not negatives:
            continue
        pull = push = 0.0
        for j in positives:
            s = cosine(rows[i], rows[j])
            pull += math.exp(-scale * max(0.0, 1 + margin - s) * (s - (1 - margin)))
        for j in negatives:
            s = cosine(rows[i], rows[j])
            push += math.exp(scale * max(0.0, s + margin) * (s - margin))
        losses.append(math.log1p(pull * push))
    return mean_of_nonzero(losses)


def slow_contrastive_loss(
    rows: Rows, labels: Labels, *, positive_similarity: float, negative_similarity: float
) -> float:
    pull, push = [], []
    for i, positives, negatives in anchors(labels):
        pull += [max(0.0, positive_similarity - cosine(rows[i], rows[j])) for j in positives]
        push += [max(0.0, cosine(rows[i], rows[j]) - negative_similarity) for j in negatives]
    return mean_of_nonzero(pull) + mean_of_nonzero(push)


def slow_lifted_structure_loss(rows: Rows, labels: Labels, *, margin: float) -> float:
    losses = []
    for i, positives, negatives in anchors(labels):
        total = 0.0
        if positives:
            total += math.log(sum(math.exp(-cosine(rows[i], rows[j])) for j in positives))
        if negatives:
            total += math.log(sum(math.exp(cosine(rows[i], rows[j]) + margin) for j in negatives))
        losses.append(max(0.0, total))
    return mean(losses)


def slow_supervised_contrastive_loss(rows: Rows, labels: Labels, *, temperature: float) -> float:
    if len(set(labels)) == 1:
        return 0.0
    losses = []
    for i, positives, negatives in anchors(labels):
        total = sum(math.exp(cosine(rows[i], rows[j]) / temperature) for j in positives + negatives)
        shares = [math.exp(cosine(rows[i], rows[j]) / temperature) / total for j in positives]
        losses.append(-mean([math.log(share) for share in shares]))
    return mean_of_nonzero(losses)


def slow_proxy_anchor_loss(
    rows: Rows, labels: Labels, proxies: Rows, *, margin: float, alpha: float
) -> float:
    pull = push = 0.0
    for c, proxy in enumerate(proxies):
        cosines = [cosine(row, proxy) for row in rows]
        own = [s for s, label in zip(cosines, labels, strict=True) if label == c]
        others = [s for s, label in zip(cosines, labels, strict=True) if label != c]
        pull += math.log1p(sum(math.exp(-alpha * (s - margin)) for s in own))
        push += math.log1p(sum(math.exp(alpha * (s + margin)) for s in others))
    return pull / len(set(labels)) + push / len(proxies)


def slow_arcface_loss(
    rows: Rows, labels: Labels, weight: Rows, *, margin_degrees: float, scale: float
) -> float:
    """Past 180 degrees the cosine would rise again: there it goes on falling, by margin * sin(margin)."""
    margin = math.radians(margin_degrees)
    losses = []
    for row, label in zip(rows, labels, strict=True):
        cosines = [cosine(row, vector) for vector in weight]
        angle = math.acos(cosines[label])
        if angle + margin <= math.pi:
            cosines[label] = math.cos(angle + margin)
        else:
            cosines[label] -= margin * math.sin(margin)
        losses.append(_cross_entropy([scale * s for s in cosines], label))
    return mean(losses)


def slow_cosface_loss(rows: Rows, labels: Labels, weight: Rows, *, margin: float, scale: float) -> float:
    losses = []
    for row, label in zip(rows, labels, strict=True):
        cosines = [cosine(row, vector) for vector in weight]
        cosines[label] -= margin
        losses.append(_cross_entropy([scale * s for s in cosines], label))
    return mean(losses)


def _cross_entropy(logits: Sequence[float], label: int) -> float:
    return math.log(sum(math.exp(logit - logits[label]) for logit in logits))
