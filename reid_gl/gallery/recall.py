"""Measure how many of the nearest rows an engine's search finds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reid_gl.gallery.condition import Condition
from reid_gl.gallery.engine import Engine
from reid_gl.gallery.sightings import Floats, Ints, vectors_of


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


def nearest_rows(batches: Iterable[tuple[Ints, Floats]], own: list[int], queries: Floats, k: int) -> Ints:
    """Return the numbers (Q, K) of the rows nearest to each query, by comparing every row.

    Args:
        batches: numbers (M,) and features (M, D) of all rows, in parts.
        own: Q numbers of rows that are not counted among the neighbours of their own query.
        queries: (Q, D).
        k: number of neighbours; fewer if there are fewer rows.
    """
    ids, cosines = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
    for numbers, vectors in batches:
        products = queries @ vectors.T
        products[np.array(own)[:, None] == numbers] = -np.inf
        ids = np.concatenate([ids, np.broadcast_to(numbers, products.shape)], axis=1)
        cosines = np.concatenate([cosines, products], axis=1)
        kept = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        ids, cosines = np.take_along_axis(ids, kept, axis=1), np.take_along_axis(cosines, kept, axis=1)
    return ids[:, : min(k, np.isfinite(cosines).sum(axis=1).min())]
