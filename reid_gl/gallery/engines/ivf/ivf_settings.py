"""Settings of an IVF-PQ index, and the values that fit a number of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

DIMENSIONS_A_BYTE = 8
LISTS_A_ROOT = 16
"""Lists for the root of the number of rows. With fewer lists than people, k-means leaves some people without
a list, and their rows are spread over lists of others."""
MOST_LISTS = 2**16
"""Every new row and every query is compared with the centres of all lists."""
ROWS_A_LIST = 39
"""Fewest rows per list of a chosen number of lists."""


@dataclass(frozen=True)
class Breadth:
    """How widely an index is searched.

    Attributes:
        probes: number of lists to search for a query.
        candidates: rows to compare exactly, for each row of an answer.
        recall: share of the nearest rows that were found with it when it was chosen; None if it was given.
    """

    probes: int
    candidates: int
    recall: float | None = None


USUAL = Breadth(probes=32, candidates=4)


@dataclass(frozen=True)
class IvfSettings:
    """Settings of an index; lists and code_bytes take effect when it is trained.

    Attributes:
        lists: number of lists that rows are divided into; None for about LISTS_A_ROOT times
            the root of their number, see num_lists.
        code_bytes: bytes that stand for a feature, a divisor of D; None for an eighth of D.
        probes: number of lists to search for a query; more find more, and take longer. None for what training
            chose.
        candidates: rows to compare exactly, for each row of an answer; None for what training chose.
        train_at: number of rows at which `add` trains the first index; until then every row is compared.
    """

    lists: int | None = None
    code_bytes: int | None = None
    probes: int | None = None
    candidates: int | None = None
    train_at: int = 100_000

    def breadth(self, chosen: Breadth | None) -> Breadth:
        """Return how widely to search, given what training chose; None is for indexes that chose nothing."""
        known = USUAL if chosen is None else chosen
        if self.probes is None and self.candidates is None:
            return known
        return Breadth(self.probes or known.probes, self.candidates or known.candidates)

    def num_lists(self, num_rows: int) -> int:
        """Return the number of lists for this many rows.

        Raises:
            ValueError: there are fewer rows than lists.
        """
        if self.lists is None:
            ideal = 2 ** round(math.log2(LISTS_A_ROOT * math.sqrt(num_rows)))
            return int(max(1, min(ideal, MOST_LISTS, num_rows // ROWS_A_LIST)))
        if self.lists > num_rows:
            raise ValueError(f"{num_rows:,} rows are too few for {self.lists:,} lists: use fewer lists")
        return self.lists

    def num_bytes(self, dimension: int) -> int:
        """Return the number of bytes that stand for a feature of this dimension.

        Raises:
            ValueError: the number of bytes does not divide the dimension.
        """
        if self.code_bytes is None:
            most = max(1, dimension // DIMENSIONS_A_BYTE)
            return next(size for size in range(most, 0, -1) if dimension % size == 0)
        if dimension % self.code_bytes:
            raise ValueError(
                f"features of {dimension} numbers cannot be stored in {self.code_bytes} bytes: use a divisor "
                f"of {dimension}"
            )
        return self.code_bytes


@dataclass(frozen=True)
class Marks:
    """What an index file knows of the gallery that it was made from.

    Attributes:
        version: version of the gallery when the index was saved.
        next_id: rows from this number on are not in it.
        num_trained: number of rows of the gallery when it was trained.
        checksums: checksums of some of its features, by row number, to recognise the gallery.
        breadth: how widely to search; None if training chose nothing.
    """

    version: int
    next_id: int
    num_trained: int
    checksums: dict[int, int]
    breadth: Breadth | None = None
