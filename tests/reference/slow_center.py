"""Centre loss as the paper writes it: one embedding and one number at a time."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.slow_similarity import Rows


def slow_center_loss(embeddings: Rows, labels: Sequence[int], *, centers: Rows) -> float:
    total = 0.0
    for row, label in zip(embeddings, labels, strict=True):
        for x, c in zip(row, centers[label], strict=True):
            total += 0.5 * (x - c) ** 2
    return total / len(labels)
