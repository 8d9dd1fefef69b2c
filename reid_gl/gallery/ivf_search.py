"""Search an approximate index; filters, deletions and scores are decided by the stored rows."""

from __future__ import annotations

import numpy as np

from reid_gl.gallery.condition import Condition
from reid_gl.gallery.engine import Found
from reid_gl.gallery.indexed_rows import IndexedRows
from reid_gl.gallery.ivf_index import IvfIndex
from reid_gl.gallery.ivf_settings import IvfSettings
from reid_gl.gallery.sightings import Floats, Ints

FEW_ROWS = 50_000
"""If a filter leaves at most this many rows, all of them are compared."""
MOST_PROPOSED = 2**22
"""Number of proposed rows to hold at a time, for several queries together."""
WIDER = 4
"""Factor for lists and candidates of queries that found too few rows."""


class IvfSearch:
    """Proposes rows to compare.

    Args:
        index: an index that holds all rows.
        rows: the stored rows.
        settings: settings of the index.
    """

    def __init__(self, index: IvfIndex, rows: IndexedRows, settings: IvfSettings) -> None:
        self._index, self._rows, self._settings = index, rows, settings

    def find(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return candidates for each query (Q, D) of length one.

        If the filter or deletions leave too few of what the index proposes, either the filter selects few
        rows, and all of them are compared; or more lists are searched for more candidates, up to all.
        """
        found = [np.zeros(0, np.int64) for _ in queries]
        wanted = num_nearest * self._settings.candidates
        count, probes = wanted, self._settings.probes
        pending = np.arange(len(queries)) if len(self._index) else np.zeros(0, np.int64)
        while len(pending):
            count, probes = min(count, len(self._index)), min(probes, self._index.num_lists)
            proposed = self._proposed(queries[pending], count, probes, condition)
            for place, ids in zip(pending.tolist(), proposed, strict=True):
                found[place] = ids[:wanted]
            if count == len(self._index) and probes == self._index.num_lists:
                break
            is_first = count == wanted
            pending = np.array([place for place in pending.tolist() if len(found[place]) < wanted], np.int64)
            if is_first and len(pending) and condition != Condition():
                few = self._rows.few(condition, max(FEW_ROWS, wanted))
                if few is not None:
                    exact = self._exact(queries[pending], num_nearest, few)
                    for place, ids in zip(pending.tolist(), exact, strict=True):
                        found[place] = ids
                    break
            count, probes = WIDER * count, WIDER * probes
        return Found(found, self._rows.rows(np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))))

    def _proposed(self, queries: Floats, count: int, probes: int, condition: Condition) -> list[Ints]:
        found: list[Ints] = []
        step = max(1, MOST_PROPOSED // count)
        for start in range(0, len(queries), step):
            proposed = self._index.nearest(queries[start : start + step], count, probes)
            kept = self._rows.fulfilling(np.unique(proposed[proposed >= 0]), condition)
            found += [ids[np.isin(ids, kept)] for ids in proposed]
        return found

    def _exact(self, queries: Floats, num_nearest: int, ids: Ints) -> list[Ints]:
        return self._rows.matrix(ids, self._index.dimension).nearest(queries, num_nearest, Condition())
