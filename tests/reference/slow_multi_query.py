"""Pooled queries from the definition, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence


def slow_unit(row: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(number * number for number in row))
    return [number / length if length else 0.0 for number in row]


def slow_pool_queries(
    query: Sequence[tuple[Sequence[float], int, int, str]],
    extra: Sequence[tuple[Sequence[float], int, int, str]],
    *,
    pooling: str,
) -> list[list[float]]:
    """Images are (feature, pid, camid, file name)."""
    pooled = []
    for feature, pid, camid, name in query:
        rows = [slow_unit(feature)]
        for other, other_pid, other_camid, other_name in extra:
            same = other_pid == pid and other_camid == camid and pid >= 1 and camid >= 0
            if same and other_name != name:
                rows.append(slow_unit(other))
        columns = list(zip(*rows, strict=True))
        if pooling == "average":
            pooled.append(slow_unit([sum(column) / len(column) for column in columns]))
        else:
            pooled.append(slow_unit([max(column) for column in columns]))
    return pooled
