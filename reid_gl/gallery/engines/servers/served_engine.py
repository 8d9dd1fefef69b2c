"""What the engines on servers have in common: random row numbers, and additions without transactions."""

from __future__ import annotations

import hashlib
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from reid_gl.gallery.engines.servers.served_rows import fault_of, stats_of, to_row
from reid_gl.gallery.interface.addition_key import AdditionKey
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Addition, GalleryStats, Verification, unannounced
from reid_gl.gallery.interface.sightings import LARGEST_NUMBER, Floats, Ints, Sighting, StoredRow

logger = logging.getLogger(__name__)


class ServedEngine(ABC):
    """See Engine. Row numbers are random, so that several programs can add at once.

    If a call of `add` fails, it removes the rows that it has stored; if it is killed, some of its rows stay.
    With a key, the numbers follow from the key: another attempt finds what is stored and adds the rest.

    A subclass sets up its client before it calls this constructor.

    Args:
        url: address of the server.
        collection: name of the collection.
        mode: see MODES of sqlite_file.

    Attributes:
        rows_at_once: number of rows in one call to the server.
    """

    rows_at_once: ClassVar[int]

    def __init__(self, url: str, collection: str, mode: str) -> None:
        self.name, self._mode = f"{url}/{collection}", mode
        self._width: int | None = None
        self._exists = self._open_collection()
        if not self._exists and mode != "a":
            raise FileNotFoundError(f"gallery {self.name} does not exist: add features to create it")

    @property
    def dimension(self) -> int | None:
        """Return D of the features."""
        if self._width is None and self._exists:
            self._width = self._read_width()
        return self._width

    def add(self, addition: Addition) -> Ints:
        """Store all parts; without transactions, see the class."""
        self.check_writable()
        key = addition.key
        first = number = _random_number() if key is None else _number_of(key)
        written: int | None = None  # the first row that this call has stored
        try:
            for vectors, sightings in addition.parts:
                if not self._exists:
                    self._create(vectors.shape[1])
                    self._exists = True
                for start in range(0, len(vectors), self.rows_at_once):
                    rows = slice(start, start + self.rows_at_once)
                    if key is None or not self._has(number, sightings[rows], key):
                        written = number if written is None else written
                        self._write(
                            number, vectors[rows], sightings[rows], addition.added, is_new=key is None
                        )
                    number += len(vectors[rows])
        except BaseException:
            if written is not None:
                self._take_back(range(written, number + self.rows_at_once))
            raise
        return np.arange(first, number, dtype=np.int64)

    def read(self, condition: Condition) -> Iterator[list[StoredRow]]:
        """Yield the rows that satisfy a condition."""
        for points in self._pages(condition, with_vectors=True):
            yield self._rows(points)

    def delete(self, condition: Condition, announce: Callable[[int], None] = unannounced) -> int:
        """Delete rows."""
        return self._change(condition, lambda: self._delete(condition), announce)

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Change identities."""
        return self._change(condition, lambda: self._set_identity(condition, pid))

    def stats(self) -> GalleryStats:
        """Return statistics, from the metadata of all rows."""
        pages = self._pages(Condition(), with_vectors=False)
        payloads = (point.payload for points in pages for point in points)
        return stats_of(payloads, self.dimension, self.keep_seconds)

    def verify(self) -> Verification:
        """Read all rows, check the features, and compare their number with the server's."""
        broken: dict[int, str] = {}
        num_rows, dimension = 0, self.dimension
        for points in self._pages(Condition(), with_vectors=True):
            for point in points:
                if fault := fault_of(point, dimension):
                    broken[int(point.id)] = fault
                else:
                    num_rows += 1
        counted = self._count(Condition()) if self._exists else 0
        found = num_rows + len(broken)
        problems = [] if counted == found else [f"the server counts {counted:,} rows but returns {found:,}"]
        return Verification(num_rows, broken, problems)

    def check_writable(self) -> None:
        """Raise PermissionError if the gallery is open for reading."""
        if self._mode == "r":
            raise PermissionError(
                f"gallery {self.name} is open for reading: open it with mode 'a' to change it"
            )

    @property
    @abstractmethod
    def keep_seconds(self) -> float | None:
        """Return the age at which rows are deleted."""

    @abstractmethod
    def _open_collection(self) -> bool:
        """Return whether the collection exists; it can then be searched."""

    @abstractmethod
    def _read_width(self) -> int:
        """Return D of the features of the collection."""

    @abstractmethod
    def _create(self, dimension: int) -> None:
        """Create the collection and the indexes that filters use."""

    @abstractmethod
    def _write(
        self, first: int, vectors: Floats, sightings: Sequence[Sighting], added: float, *, is_new: bool
    ) -> None:
        """Store at most `rows_at_once` rows, numbered from `first`; if they may exist, they are replaced."""

    @abstractmethod
    def _pages(self, condition: Condition, *, with_vectors: bool) -> Iterator[list[Any]]:
        """Yield what is stored, with the attributes that served_rows expects, in the order of the numbers."""

    @abstractmethod
    def _count(self, condition: Condition) -> int:
        """Return the number of rows that satisfy a condition; the collection exists."""

    @abstractmethod
    def _delete(self, condition: Condition) -> None:
        """Delete rows, of which there is at least one."""

    @abstractmethod
    def _set_identity(self, condition: Condition, pid: int) -> None:
        """Change the identity of rows, of which there is at least one."""

    def _change(
        self,
        condition: Condition,
        change: Callable[[], None],
        announce: Callable[[int], None] = unannounced,
    ) -> int:
        self.check_writable()
        count = self._count(condition) if self._exists else 0
        if count:
            announce(count)
            change()
        return count

    def _rows(self, points: Iterable[Any]) -> list[StoredRow]:
        """Convert points to rows; damaged ones and those of other programs are left out."""
        rows = []
        for point in points:
            if fault := fault_of(point, self.dimension):
                logger.warning("gallery %s: row %s is left out: %s", self.name, point.id, fault)
            else:
                rows.append(to_row(point))
        return rows

    def _has(self, first: int, sightings: Sequence[Sighting], key: AdditionKey) -> bool:
        """Return whether these rows are stored already; ValueError if others have their numbers."""
        numbers = range(first, first + len(sightings))
        found = [row for rows in self.read(Condition(only={"id": frozenset(numbers)})) for row in rows]
        if any(row.sighting != sightings[row.id - first] for row in found):
            raise key.conflict()
        return len(found) == len(sightings)

    def _take_back(self, numbers: range) -> None:
        try:
            for start in range(numbers.start, numbers.stop, self.rows_at_once):
                part = range(start, min(start + self.rows_at_once, numbers.stop))
                self._delete(Condition(only={"id": frozenset(part)}))
        except ConnectionError:
            logger.error(
                "gallery %s: rows from %d to %d may be stored although the call failed: delete them when it "
                "can be reached",
                *(self.name, numbers.start, numbers.stop - 1),
            )


def _random_number() -> int:
    return secrets.randbelow(LARGEST_NUMBER // 2) + 1


def _number_of(key: AdditionKey) -> int:
    """Return the number of the first row of an addition, the same at each attempt."""
    digest = hashlib.sha256(key.text.encode()).digest()
    return int.from_bytes(digest[:8], "little") % (LARGEST_NUMBER // 2) + 1
