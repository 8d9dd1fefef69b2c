"""Search an approximate index; filters, deletions and scores are decided by the stored rows."""

from __future__ import annotations

import numpy as np

from reid_gl.gallery.engines.ivf.indexed_rows import IndexedRows
from reid_gl.gallery.engines.ivf.ivf_index import IvfIndex
from reid_gl.gallery.engines.ivf.ivf_settings import Breadth
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Found
from reid_gl.gallery.interface.sightings import Floats, Ints

FEW_ROWS = 20_000
"""If a filter leaves at most this many rows, all of them are compared: a seventh of a second to read them."""
MOST_LISTED = 2**20
"""Number of rows that a filter may leave for their numbers to be listed."""
FILTERED = 16
"""Factor for candidates if the filter is applied first.
8 find 96 % of the nearest of 10^6 rows, 16 find 99 %."""
WIDER = 4
"""Factor for lists and candidates of queries that found too few rows."""
MOST_PROPOSED = 2**22
"""Number of proposed rows, and of lists to search, to hold at a time, for several queries together."""
MOST_COMPARED = 2**15
"""Number of features to hold at a time, for several queries together."""


class IvfSearch:
    """Proposes rows, and compares them.

    Args:
        index: an index that holds all rows.
        rows: the stored rows.
        breadth: how widely to search it.
    """

    def __init__(self, index: IvfIndex, rows: IndexedRows, breadth: Breadth) -> None:
        self._index, self._rows, self._breadth = index, rows, breadth

    def find(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return the rows nearest to each query (Q, D) of length one among those that the index proposes."""
        wanted = num_nearest * self._breadth.candidates
        proposed = self._proposed(queries, wanted, condition)
        best: list[Ints] = []
        step = max(1, MOST_COMPARED // max([1, *map(len, proposed)]))
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            best += self._best(queries[block], proposed[block], num_nearest)
        return Found(best, self._rows.rows(np.unique(np.concatenate([*best, np.zeros(0, np.int64)]))))

    def _proposed(self, queries: Floats, wanted: int, condition: Condition) -> list[Ints]:
        """Return rows that satisfy the condition for each query, at least as many as wanted if there are.

        The filter is applied to what the index proposes. If a query keeps less than wanted, the search is
        widened, up to all rows; but if most is lost, the filter is applied first, see _among.
        """
        found = [np.zeros(0, np.int64) for _ in queries]
        pending = list(range(len(queries))) if len(self._index) else []
        count, probes, may_list = wanted, self._breadth.probes, condition != Condition()
        while pending:
            count, probes = min(count, len(self._index)), min(probes, self._index.num_lists)
            for place, ids in zip(
                pending, self._kept(queries[pending], count, probes, condition), strict=True
            ):
                found[place] = ids[:wanted]
            if count == len(self._index) and probes == self._index.num_lists:
                break
            pending = [place for place in pending if len(found[place]) < wanted]
            num_kept = sum(len(found[place]) for place in pending)
            if may_list and WIDER * num_kept < wanted * len(pending):
                may_list = False
                allowed = self._rows.listed(condition, MOST_LISTED)
                if allowed is not None:
                    for place, ids in zip(
                        pending, self._among(queries[pending], wanted, allowed), strict=True
                    ):
                        found[place] = ids
                    break
            count, probes = WIDER * count, WIDER * probes
        return found

    def _kept(self, queries: Floats, count: int, probes: int, condition: Condition) -> list[Ints]:
        """Return those of the proposed rows that exist and satisfy the condition, for each query."""
        found: list[Ints] = []
        step = max(1, MOST_PROPOSED // max(count, probes))
        for start in range(0, len(queries), step):
            proposed = self._index.nearest(queries[start : start + step], count, probes)
            kept = self._rows.fulfilling(np.unique(proposed[proposed >= 0]), condition)
            found += [ids[_places(kept, ids) >= 0] for ids in proposed]
        return found

    def _among(self, queries: Floats, wanted: int, allowed: Ints) -> list[Ints]:
        """Return rows to compare for each query, out of the allowed ones; if they are few, the nearest.

        Of more, the index looks at the codes of all: a filter can leave so few rows of a person that the
        nearest ones are of others, in any list. Codes cannot tell such distant rows apart, so more candidates
        are compared.
        """
        if len(allowed) <= max(FEW_ROWS, wanted):
            return self._nearest_of_all(queries, wanted, allowed)
        count = min(len(allowed), max(wanted, min(FILTERED * wanted, MOST_COMPARED)))
        num_lists = self._index.num_lists
        found: list[Ints] = []
        step = max(1, MOST_PROPOSED // max(count, num_lists))
        for start in range(0, len(queries), step):
            nearest = self._index.nearest(queries[start : start + step], count, num_lists, allowed)
            found += [ids[ids >= 0] for ids in nearest]
        return found

    def _nearest_of_all(self, queries: Floats, count: int, allowed: Ints) -> list[Ints]:
        """Return the `count` allowed rows with the largest cosines to each query, read only once."""
        numbers, vectors = self._rows.vectors(allowed)
        found: list[Ints] = []
        step = max(1, MOST_PROPOSED // max(1, len(numbers)))
        for start in range(0, len(queries), step):
            with np.errstate(all="ignore"):  # damaged features can hold anything
                cosines = queries[start : start + step] @ vectors.T
            found += list(numbers[np.argsort(-cosines, axis=1, kind="stable")[:, :count]])
        return found

    def _best(self, queries: Floats, proposed: list[Ints], num_nearest: int) -> list[Ints]:
        """Return the proposed rows with the largest cosines to each query, read once for all queries."""
        numbers, vectors = self._rows.vectors(np.unique(np.concatenate(proposed)))
        best = []
        for query, ids in zip(queries, proposed, strict=True):
            places = np.sort(_places(numbers, ids))
            places = places[places >= 0]
            with np.errstate(all="ignore"):  # damaged features can hold anything
                cosines = vectors[places] @ query
            order = np.argsort(-cosines, kind="stable")[:num_nearest]  # NaN comes last
            best.append(numbers[places[order]])
        return best


def _places(numbers: Ints, ids: Ints) -> Ints:
    """Return the positions of ids among ascending numbers, -1 for those that are not there."""
    if not len(numbers):
        return np.full(len(ids), -1)
    places = np.minimum(np.searchsorted(numbers, ids), len(numbers) - 1)
    return np.where(numbers[places] == ids, places, -1)
