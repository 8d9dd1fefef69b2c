"""Query expansion, one query and one neighbour at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]


def slow_expand_queries(
    query: Rows, gallery: Rows, *, num_neighbours: int, alpha: float
) -> list[list[float]]:
    images = [_unit(row) for row in gallery]
    expanded = []
    for row in query:
        own = _unit(row)
        cosines = [math.fsum(a * b for a, b in zip(own, other, strict=True)) for other in images]
        nearest = sorted(range(len(images)), key=lambda place: -cosines[place])[:num_neighbours]
        total = list(own)
        for place in nearest:
            weight = max(0.0, cosines[place]) ** alpha if alpha else 1.0
            total = [a + weight * b for a, b in zip(total, images[place], strict=True)]
        expanded.append(_unit(total))
    return expanded


def _unit(row: Sequence[float]) -> list[float]:
    length = math.sqrt(math.fsum(value * value for value in row))
    return [value / length for value in row]
