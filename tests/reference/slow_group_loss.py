"""Group Loss as the paper writes it: beliefs as probabilities, one image and one class at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tests.reference.slow_similarity import Rows, slow_cosine_distance, slow_pearson_similarity

Beliefs = list[list[float]]


def slow_group_loss(
    embeddings: Rows,
    labels: Sequence[int],
    *,
    logits: Rows,
    anchors: Sequence[bool],
    num_steps: int,
    temperature: float,
    self_similarity: bool = True,
    similarity: str = "pearson",
    negatives: str = "clip",
    similarity_scale: float | None = None,
    class_subset: str = "all",
) -> float:
    similarities = _similarities(embeddings, similarity, negatives, self_similarity, similarity_scale)
    if class_subset == "batch":
        present = sorted(set(labels))
        logits = [[row[c] for c in present] for row in logits]
        labels = [present.index(label) for label in labels]
    beliefs = [
        _one_hot(labels[i], len(row)) if anchors[i] else _softmax([z / temperature for z in row])
        for i, row in enumerate(logits)
    ]
    for _ in range(num_steps):
        beliefs = slow_replicator_step(similarities, beliefs)
    free = [beliefs[i][label] for i, label in enumerate(labels) if not anchors[i]]
    losses = [-math.log(belief) if belief > 0 else math.inf for belief in free]
    return math.fsum(losses) / len(losses) if losses else 0.0


def slow_leave_one_out_loss(
    embeddings: Rows, labels: Sequence[int], *, logits: Rows, positives: str = "sum", **settings: Any
) -> float:
    """One image at a time is free and all others are anchors; images alone in their class do not count."""
    losses = []
    for i, label in enumerate(labels):
        if list(labels).count(label) == 1:
            continue
        if positives == "geometric":
            losses.append(_loss_with_geometric_support(i, embeddings, labels, logits, **settings))
            continue
        anchors = [j != i for j in range(len(labels))]
        loss = slow_group_loss(
            embeddings, labels, logits=logits, anchors=anchors, self_similarity=False, **settings
        )
        losses.append(loss)
    return math.fsum(losses) / len(losses) if losses else 0.0


def _loss_with_geometric_support(
    i: int,
    embeddings: Rows,
    labels: Sequence[int],
    logits: Rows,
    *,
    num_steps: int,
    temperature: float,
    similarity_scale: float,
    similarity: str = "pearson",
) -> float:
    votes = _similarities(embeddings, similarity, "clip", False, similarity_scale)[i]
    supports = {}
    for c in set(labels):
        given = [votes[j] for j, label in enumerate(labels) if label == c and j != i]
        supports[c] = math.fsum(given)
        if c == labels[i]:
            supports[c] = len(given) * math.prod(given) ** (1 / len(given))
    beliefs = {
        c: math.exp(logits[i][c] / temperature) * support**num_steps for c, support in supports.items()
    }
    return -math.log(beliefs[labels[i]] / math.fsum(beliefs.values()))


def _similarities(
    embeddings: Rows, similarity: str, negatives: str, self_similarity: bool, scale: float | None
) -> Beliefs:
    if similarity == "pearson":
        values = slow_pearson_similarity(embeddings)
    else:
        values = [[1 - d for d in row] for row in slow_cosine_distance(embeddings, embeddings)]
    smallest = min(value for row in values for value in row)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if i == j and not self_similarity:
                row[j] = 0.0
            elif scale is not None:
                row[j] = math.exp(scale * (value - 1.0))
            elif negatives == "clip":
                row[j] = max(0.0, value)
            else:
                row[j] = value - min(0.0, smallest)
    return values


def slow_replicator_step(similarities: Rows, beliefs: Beliefs) -> Beliefs:
    """X(c) <- X(c) * support(c) / sum of the same over all classes; unchanged without any support."""
    updated = []
    for i, belief in enumerate(beliefs):
        product = []
        for c, share in enumerate(belief):
            support = math.fsum(similarities[i][j] * beliefs[j][c] for j in range(len(beliefs)))
            product.append(share * support)
        total = math.fsum(product)
        updated.append([value / total for value in product] if total > 0 else belief)
    return updated


def _softmax(row: Sequence[float]) -> list[float]:
    powers = [math.exp(z - max(row)) for z in row]
    return [power / math.fsum(powers) for power in powers]


def _one_hot(label: int, num_classes: int) -> list[float]:
    return [1.0 if c == label else 0.0 for c in range(num_classes)]
