"""Choose how widely to search an index, by measuring its recall on rows of the gallery."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reid_gl.gallery.engines.ivf.indexed_rows import IndexedRows
from reid_gl.gallery.engines.ivf.ivf_index import IvfIndex
from reid_gl.gallery.engines.ivf.ivf_settings import Breadth
from reid_gl.gallery.engines.nearest_rows import nearest_rows
from reid_gl.gallery.interface.engine import SPARE
from reid_gl.gallery.interface.sightings import Floats, Ints

NUM_QUERIES, K = 200, 50
TARGET = 0.985
"""Recall of the nearest K rows to reach: 0.98, and a margin for the choice of the queries."""
FEWEST_PROBES = 8
CANDIDATES = (4, 8, 16, 32)
MOST_CODES = 2**22
"""Codes that a search may look at; on one core, these take a second."""
CODE_SECONDS, ROW_SECONDS = 0.25e-6, 7e-6
"""Time to look at a code, and to read and compare a candidate."""


def choose_breadth(index: IvfIndex, rows: IndexedRows) -> Breadth:
    """Return the cheapest breadth that reaches TARGET, or that with the best recall.

    Every row is read once.

    Args:
        index: an index that holds all rows, at least two.
        rows: the stored rows.
    """
    own, queries = _queries(rows)
    nearest = nearest_rows(rows.span(1, rows.state().next_id), own.tolist(), queries, K)
    probes = FEWEST_PROBES
    tried: list[Breadth] = []
    while True:
        probes = min(probes, index.num_lists)
        tried += _measured(index, own, queries, nearest, probes)
        reached = [one for one in tried if (one.recall or 0.0) >= TARGET]
        num_codes = 2 * probes * len(index) / index.num_lists
        is_dearer = reached and CODE_SECONDS * num_codes > min(_cost(index, one) for one in reached)
        if probes == index.num_lists or num_codes > MOST_CODES or is_dearer:
            break
        probes *= 2
    if reached:
        return min(reached, key=lambda one: _cost(index, one))
    return max(tried, key=lambda one: one.recall or 0.0)


def _queries(rows: IndexedRows) -> tuple[Ints, Floats]:
    """Return numbers (Q,) and features (Q, D) of random rows, the same ones each time for the same rows."""
    state = rows.state()
    rng = np.random.default_rng(state.num_rows)
    numbers = np.arange(1, state.next_id)
    if len(numbers) > 4 * NUM_QUERIES:  # enough, unless three of four rows were deleted
        numbers = np.sort(rng.choice(numbers, 4 * NUM_QUERIES, replace=False))
    own, vectors = rows.vectors(numbers)
    chosen = np.sort(rng.choice(len(own), min(NUM_QUERIES, len(own)), replace=False))
    return own[chosen], vectors[chosen]


def _measured(index: IvfIndex, own: Ints, queries: Floats, nearest: Ints, probes: int) -> Iterator[Breadth]:
    """Yield the recall of each number of candidates: what is among them is found, as they are compared."""
    width = K + SPARE
    proposed = index.nearest(queries, CANDIDATES[-1] * width + 1, probes)
    for candidates in CANDIDATES:
        shares = [
            np.isin(expected, ids[ids != number][: candidates * width]).mean()
            for number, expected, ids in zip(own, nearest, proposed, strict=True)
        ]
        yield Breadth(probes, candidates, float(np.mean(shares)))


def _cost(index: IvfIndex, breadth: Breadth) -> float:
    """Return about how many seconds a query takes."""
    codes = breadth.probes * len(index) / index.num_lists
    return CODE_SECONDS * codes + ROW_SECONDS * breadth.candidates * (K + SPARE)
