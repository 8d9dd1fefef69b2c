"""Measure how many of the nearest rows an engine's search finds."""

from __future__ import annotations

import numpy as np

from reid_gl.gallery.engines.nearest_rows import nearest_rows
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Engine
from reid_gl.gallery.interface.sightings import Floats, vectors_of


def measure_recall(engine: Engine, num_queries: int, k: int) -> float:
    """Return the mean share of the k rows with the largest cosines that a search finds.

    The queries are random rows, the same ones each time for the same number of rows. A row is not counted
    among its own neighbours.

    Args:
        engine: an open engine.
        num_queries: number of queries; fewer if the gallery has fewer rows.
        k: number of neighbours; fewer if the gallery has fewer rows.

    Raises:
        ValueError: there are fewer than two rows.
    """
    own, queries = _random_rows(engine, num_queries)
    batches = (
        (np.array([row.id for row in rows], np.int64), vectors_of(rows)) for rows in engine.read(Condition())
    )
    nearest = nearest_rows(batches, own, queries, k)
    found = engine.search(queries, k + 1, Condition())
    shares = []
    for number, query, expected, proposed in zip(own, queries, nearest, found.ids, strict=True):
        rows = [found.rows[row] for row in proposed.tolist() if row in found.rows and row != number]
        if rows:
            best = np.argsort(-(vectors_of(rows) @ query), kind="stable")[:k]
            shares.append(len({rows[place].id for place in best} & set(expected.tolist())) / len(expected))
        else:
            shares.append(0.0)
    return float(np.mean(shares))


def _random_rows(engine: Engine, count: int) -> tuple[list[int], Floats]:
    """Return numbers and features (Q, D) of random rows, Q at most `count`."""
    num_rows = engine.stats().num_rows
    if num_rows < 2:
        raise ValueError(f"gallery {engine.name} has {num_rows} rows: recall needs at least two")
    rng = np.random.default_rng(num_rows)
    places = np.sort(rng.choice(num_rows, min(count, num_rows), replace=False))
    chosen, first = [], 0
    for rows in engine.read(Condition()):
        inside = places[(places >= first) & (places < first + len(rows))] - first
        chosen += [rows[place] for place in inside.tolist()]
        first += len(rows)
    return [row.id for row in chosen], vectors_of(chosen).copy()  # writable, as torch wants it
