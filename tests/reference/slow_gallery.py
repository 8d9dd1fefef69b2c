"""A gallery as a list: every row is looked at, every cosine computed alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reid_gl.gallery.interface.sightings import Sighting


@dataclass
class SlowRow:
    id: int
    vector: np.ndarray
    sighting: Sighting
    added: float

    def value(self, name: str) -> int:
        return self.id if name == "id" else int(getattr(self.sighting, name))


def slow_rows(
    rows: Sequence[SlowRow],
    *,
    only: Mapping[str, Sequence[int]],
    exclude: Sequence[Mapping[str, Sequence[int]]] = (),
    time: tuple[float | None, float | None] | None = None,
    since: float = -math.inf,
    before: float = math.inf,
) -> list[SlowRow]:
    """The rows that fulfil everything."""
    chosen = []
    for row in rows:
        is_chosen = all(row.value(name) in values for name, values in only.items())
        for rule in exclude:
            if all(row.value(name) in values for name, values in rule.items()):
                is_chosen = False
        if time is not None:
            first = -math.inf if time[0] is None else time[0]
            last = math.inf if time[1] is None else time[1]
            if time != (None, None) and (row.sighting.time is None or not first <= row.sighting.time <= last):
                is_chosen = False
        moment = row.added if row.sighting.time is None else row.sighting.time
        if is_chosen and since <= moment < before:
            chosen.append(row)
    return chosen


def slow_search(rows: Sequence[SlowRow], query: np.ndarray, k: int, min_score: float = -1.0) -> list[int]:
    """Numbers of the rows with the largest cosines; equal ones by number."""
    scored = []
    for row in rows:
        product = sum(float(a) * float(b) for a, b in zip(row.vector, query, strict=True))
        length = math.sqrt(sum(float(a) ** 2 for a in row.vector) * sum(float(b) ** 2 for b in query))
        scored.append((-product / length, row.id))
    return [number for score, number in sorted(scored) if -score >= min_score][:k]
