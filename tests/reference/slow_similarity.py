"""Distances and correlations, number by number."""

from __future__ import annotations

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]


def slow_cosine_distance(first: Rows, second: Rows) -> list[list[float]]:
    return [[1 - _cosine(a, b) for b in second] for a in first]


def slow_euclidean_distance(first: Rows, second: Rows) -> list[list[float]]:
    return [
        [math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))) for b in second] for a in first
    ]


def slow_pearson_similarity(rows: Rows) -> list[list[float]]:
    centred = [[x - math.fsum(row) / len(row) for x in row] for row in rows]
    return [[_cosine(a, b) for b in centred] for a in centred]


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    lengths = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(y * y for y in b))
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0
