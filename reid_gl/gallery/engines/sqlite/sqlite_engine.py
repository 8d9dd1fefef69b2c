"""The engine without a server: one SQLite file, with exact search in memory."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from reid_gl.gallery.engines.sqlite.condition_sql import to_sql
from reid_gl.gallery.engines.sqlite.index_beside import warn_of_codes_left
from reid_gl.gallery.engines.sqlite.matrix import Matrix
from reid_gl.gallery.engines.sqlite.sqlite_file import (
    DamagedGalleryError,
    State,
    lock_for_writing,
    open_file,
    read_state,
    real_path,
    write_state,
)
from reid_gl.gallery.engines.sqlite.sqlite_keys import added_rows, remember_rows
from reid_gl.gallery.engines.sqlite.sqlite_verify import guess_state, verify_file
from reid_gl.gallery.engines.sqlite.stored_rows import (
    INSERT_SIGHTING,
    INSERT_VECTOR,
    SIGHTING_FIELDS,
    RowReader,
    listed,
    sighting_values,
)
from reid_gl.gallery.engines.sqlite.transactions import explained, transaction
from reid_gl.gallery.engines.vector_bytes import vector_values
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Addition, Found, GalleryStats, Verification, unannounced
from reid_gl.gallery.interface.sightings import UNKNOWN, Floats, Ints, Sighting, StoredRow

logger = logging.getLogger(__name__)

KEPT_VERSIONS = 1_000
"""Number of transactions with stored deletions; a reader that is further behind reads everything again."""


class SqliteEngine:
    """See Engine.

    Args:
        path: path of the file.
        mode: see MODES of sqlite_file.
    """

    def __init__(self, path: Path, mode: str) -> None:
        path = real_path(path)  # so that two names of one file share a lock
        self._path, self._mode = path, mode
        self._lock = None if mode == "r" else lock_for_writing(path)
        try:
            self._connection = open_file(path, mode)
        except BaseException:
            self._unlock()
            raise
        self._matrix: Matrix | None = None
        self._broken: dict[int, str] = {}
        self._last_state = self._state()

    @property
    def name(self) -> str:
        """The file."""
        return str(self._path)

    @property
    def dimension(self) -> int | None:
        """Return D of the features."""
        if self._last_state.dimension is None:
            self._last_state = self._state()
        return self._last_state.dimension

    @property
    def keep_seconds(self) -> float | None:
        """Return the age at which rows are deleted."""
        return self._state().keep_seconds

    def add(self, addition: Addition) -> Ints:
        """Store all parts in one transaction."""
        with self._writing() as state:
            key, added = addition.key, addition.added
            if key is not None and (known := added_rows(self._connection, key)) is not None:
                return np.array(known, np.int64)
            first = state.next_id
            dimension, version, number = state.dimension, state.version + 1, first
            for vectors, sightings in addition.parts:
                dimension = vectors.shape[1]
                numbers = range(number, number + len(vectors))
                rows = zip(numbers, sightings, strict=True)
                values = ((version, *sighting_values(row, sighting, added)) for row, sighting in rows)
                self._connection.executemany(INSERT_SIGHTING, values)
                self._connection.executemany(INSERT_VECTOR, map(vector_values, numbers, vectors))
                number = numbers.stop
            if number == first:
                return np.zeros(0, np.int64)
            if key is not None:
                remember_rows(self._connection, key, range(first, number), added)
            num_rows = state.num_rows + number - first
            self._put_state(
                replace(state, dimension=dimension, version=version, next_id=number, num_rows=num_rows)
            )
        return np.arange(first, number, dtype=np.int64)

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return the rows near each query, read again from the file."""
        with self.reading() as (_, state):
            matrix = self._catch_up(state)
            if matrix is None:
                return Found([np.zeros(0, np.int64) for _ in queries], {})
            ids = matrix.nearest(queries, num_nearest, condition)
            reader = RowReader(self._connection, state)
            batches = reader.read(np.unique(np.concatenate(ids)).tolist() if ids else [])
            found = Found(ids, {row.id: row for rows in batches for row in rows})
        self.warn_of(reader.broken)
        return found

    def read(self, condition: Condition) -> Iterator[list[StoredRow]]:
        """Yield the rows that satisfy a condition."""
        with self.reading() as (_, state):
            if condition == Condition():
                ids = listed(self._connection, state)
            else:
                where, values = to_sql(condition)
                found = self._connection.execute(f"SELECT id FROM sightings WHERE {where}", values)
                ids = sorted(row[0] for row in found)
            reader = RowReader(self._connection, state)
            yield from reader.read(ids)
        self.warn_of(reader.broken)

    def delete(self, condition: Condition, announce: Callable[[int], None] = unannounced) -> int:
        """Delete rows, and warn if their codes stay in an index beside the file."""
        if gone := self.delete_rows(condition, announce):
            warn_of_codes_left(self._path)
        return gone

    def delete_rows(self, condition: Condition, announce: Callable[[int], None] = unannounced) -> int:
        """Delete rows; their bytes in the file are overwritten with zeros."""
        where, values = to_sql(condition)
        with self._writing() as state:
            version = state.version + 1
            gone = self._connection.execute(
                f"INSERT INTO deleted (id, version) SELECT id, ? FROM sightings WHERE {where}",
                [version, *values],
            ).rowcount
            if not gone:
                return 0
            announce(gone)
            rows = "id IN (SELECT id FROM deleted WHERE version = ?)"
            for table in ("sightings", "vectors"):
                self._connection.execute(f"DELETE FROM {table} WHERE {rows}", (version,))
            forgotten = max(state.forgotten, version - KEPT_VERSIONS)
            self._connection.execute("DELETE FROM deleted WHERE version <= ?", (forgotten,))
            rows_left = state.num_rows - gone
            self._put_state(replace(state, version=version, num_rows=rows_left, forgotten=forgotten))
        return gone

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Change identities and the corresponding checksums."""
        where, values = to_sql(condition)
        with self._writing() as state:
            found = self._connection.execute(f"SELECT {SIGHTING_FIELDS} FROM sightings WHERE {where}", values)
            changes = []
            for number, camera, time, tracklet, _, path, frame, *corners, added in found:
                box = None if corners[0] is None else tuple(corners)
                sighting = Sighting(camera, time, tracklet, pid, path, frame, box)
                changes.append((pid, sighting_values(number, sighting, added)[-1], state.version + 1, number))
            if changes:
                self._connection.executemany(
                    "UPDATE sightings SET pid = ?, crc = ?, version = ? WHERE id = ?", changes
                )
                self._put_state(replace(state, version=state.version + 1))
        return len(changes)

    def keep_for(self, seconds: float | None) -> None:
        """Store the age at which rows are deleted."""
        with self._writing() as state:
            self._put_state(replace(state, keep_seconds=seconds))

    def stats(self) -> GalleryStats:
        """Return statistics, from the metadata."""
        with self.reading() as (_, state):
            rows = self._connection.execute("SELECT camera, count(*) FROM sightings GROUP BY camera")
            cameras = {int(camera): int(count) for camera, count in rows}
            identities, first, last = self._connection.execute(
                f"SELECT count(DISTINCT CASE WHEN pid != {UNKNOWN} THEN pid END), min(time), max(time) "
                "FROM sightings"
            ).fetchone()
            (tracklets,) = self._connection.execute(
                "SELECT count(*) FROM (SELECT DISTINCT camera, tracklet FROM sightings "
                f"WHERE tracklet != {UNKNOWN})"
            ).fetchone()
        return GalleryStats(
            num_rows=sum(cameras.values()),
            dimension=state.dimension,
            num_identities=identities,
            num_tracklets=tracklets,
            cameras=cameras,
            first_time=first,
            last_time=last,
            num_bytes=self._path.stat().st_size,
            keep_seconds=state.keep_seconds,
        )

    def verify(self) -> Verification:
        """Check the pages of the file, the checksum of every row, and the number of rows."""
        with self.reading():
            return verify_file(self._connection, self._path)

    def check_writable(self) -> None:
        """Raise PermissionError if the file is open for reading."""
        if self._mode == "r":
            raise PermissionError(
                f"gallery {self._path} is open for reading: open it with mode 'a' to change it"
            )

    def close(self) -> None:
        """Close the file, so that another process can write."""
        self._connection.close()
        self._unlock()

    def _state(self) -> State:
        try:
            return read_state(self._connection)
        except (DamagedGalleryError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.DatabaseError) and "locked" in str(error):
                raise explained(error, self._path) from None
            if self._mode != "r":
                raise DamagedGalleryError(f"gallery {self._path} is damaged: {error}") from None
            return guess_state(self._connection)

    def _put_state(self, state: State) -> None:
        write_state(self._connection, state)
        self._last_state = state

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _catch_up(self, state: State) -> Matrix | None:
        """Return the rows of the file in memory; None if there have never been any."""
        if state.dimension is None:
            return None
        if self._matrix is None or self._matrix.version < state.forgotten:
            self._matrix = Matrix(state.dimension)
        matrix = self._matrix
        if matrix.version == state.version:
            return matrix
        if matrix.version:
            later = (matrix.version,)
            gone = self._connection.execute("SELECT id FROM deleted WHERE version > ?", later).fetchall()
            matrix.remove(np.array(gone, np.int64).reshape(-1))
            changed = "SELECT id FROM sightings WHERE version > ? ORDER BY id"
            ids = [row[0] for row in self._connection.execute(changed, later)]
        else:
            ids = listed(self._connection, state)
        reader = RowReader(self._connection, state)
        for columns, vectors in reader.read_columns(ids):
            matrix.put(columns, vectors)
        matrix.version = state.version
        self.warn_of(reader.broken)
        return matrix

    def warn_of(self, broken: dict[int, str]) -> None:
        """Warn of damaged rows, of each once."""
        new = {number: reason for number, reason in broken.items() if number not in self._broken}
        if new:
            self._broken.update(new)
            number, reason = next(iter(new.items()))
            logger.warning(
                "gallery %s: %s damaged rows are left out, the first is %d (%s): `reid-gl gallery verify` "
                "lists all",
                *(self._path, f"{len(new):,}", number, reason),
            )

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, State]]:
        """Start a transaction that sees one state of the file and reports damage."""
        with transaction(self._connection, self._path, writes=False):
            yield self._connection, self._state()

    @contextmanager
    def _writing(self) -> Iterator[State]:
        """Start a transaction that changes all or nothing."""
        self.check_writable()
        before = self._last_state
        try:
            with transaction(self._connection, self._path, writes=True):
                yield self._state()
        except BaseException:
            self._last_state = before
            raise
