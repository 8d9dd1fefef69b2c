"""Read rows of a gallery's SQLite file for its index: to train it, to fill it, to check what it proposes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import numpy as np

from reid_gl.gallery.engines.ivf.ivf_settings import Marks
from reid_gl.gallery.engines.sqlite.condition_sql import to_sql
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.engines.sqlite.sqlite_file import State
from reid_gl.gallery.engines.sqlite.stored_rows import RowReader
from reid_gl.gallery.engines.vector_bytes import BLOB
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.sightings import Floats, Ints, StoredRow

ROWS_AT_ONCE = 65_536
"""Rows in one transaction: a writer waits until it ends."""
NUM_CHECKSUMS = 64
SELECT_VECTORS = """
SELECT id, vector FROM vectors WHERE id IN (SELECT value FROM json_each(?))
AND typeof(vector) = 'blob' AND length(vector) = ? ORDER BY id
"""


class IndexedRows:
    """The rows behind an index.

    Args:
        engine: the open file.
    """

    def __init__(self, engine: SqliteEngine) -> None:
        self._engine = engine

    def state(self) -> State:
        """Return the state of the file."""
        with self._engine.reading() as (_, state):
            return state

    def span(self, first: int, end: int) -> Iterator[tuple[Ints, Floats]]:
        """Yield numbers (M,) and features (M, D) of the rows from `first` to before `end`, in order."""
        for start in range(first, end, ROWS_AT_ONCE):
            yield from self._features(range(start, min(start + ROWS_AT_ONCE, end)))

    def sample(self, count: int) -> Floats:
        """Return the features of about `count` random rows, the same ones each time for the same rows."""
        state = self.state()
        rng = np.random.default_rng(state.num_rows)
        drawn = min(count * state.next_id // max(state.num_rows, 1), state.next_id - 1)
        numbers = np.sort(rng.choice(state.next_id - 1, drawn, replace=False) + 1).tolist()
        found = np.empty((len(numbers), state.dimension or 1), np.float32)
        count = 0
        for start in range(0, len(numbers), ROWS_AT_ONCE):
            for _, vectors in self._features(numbers[start : start + ROWS_AT_ONCE]):
                found[count : count + len(vectors)] = vectors
                count += len(vectors)
        return found[:count]

    def fulfilling(self, ids: Ints, condition: Condition) -> Ints:
        """Return those of the row numbers that exist and satisfy a condition, in ascending order."""
        where, values = to_sql(condition)
        listed = json.dumps(ids.tolist())
        with self._engine.reading() as (connection, _):
            found = connection.execute(
                "SELECT id FROM sightings WHERE id IN (SELECT value FROM json_each(?)) "
                f"AND {where} ORDER BY id",
                [listed, *values],
            ).fetchall()
        return np.array(found, np.int64).reshape(-1)

    def listed(self, condition: Condition, most: int) -> Ints | None:
        """Return the numbers of all rows that satisfy a condition, in order; None if they are over `most`."""
        where, values = to_sql(condition)
        with self._engine.reading() as (connection, _):
            ((text,),) = connection.execute(  # three times as fast as a row for each
                f"SELECT group_concat(id) FROM (SELECT id FROM sightings WHERE {where} LIMIT ?)",
                [*values, most + 1],
            )
        ids = np.fromstring(text or "", np.int64, sep=",")
        return None if len(ids) > most else np.sort(ids)

    def vectors(self, ids: Ints) -> tuple[Ints, Floats]:
        """Return numbers (M,), in ascending order, and features (M, D) of those rows that exist.

        Nothing is checked, which takes a third of the time: for choosing rows that `rows` then checks.
        """
        with self._engine.reading() as (connection, state):
            dimension = state.dimension or 1
            try:
                found = connection.execute(
                    SELECT_VECTORS, (json.dumps(ids.tolist()), BLOB.itemsize * dimension)
                ).fetchall()
            except sqlite3.DatabaseError:  # a damaged page: leave out its rows
                found = [
                    (row.id, row.vector)
                    for rows in RowReader(connection, state).read(ids.tolist())
                    for row in rows
                ]
        numbers = np.array([number for number, _ in found], np.int64)
        vectors = np.frombuffer(b"".join(vector for _, vector in found), BLOB).reshape(len(found), dimension)
        return numbers, vectors

    def rows(self, ids: Ints) -> dict[int, StoredRow]:
        """Return rows by number; unknown and damaged ones are left out."""
        with self._engine.reading() as (connection, state):
            reader = RowReader(connection, state)
            found = {row.id: row for rows in reader.read(ids.tolist()) for row in rows}
        self._engine.warn_of(reader.broken)
        return found

    def deleted_since(self, version: int) -> Ints | None:
        """Return the numbers of rows deleted after a version; None if that is no longer known."""
        with self._engine.reading() as (connection, state):
            if version < state.forgotten:
                return None
            found = connection.execute("SELECT id FROM deleted WHERE version > ?", (version,)).fetchall()
        return np.array(found, np.int64).reshape(-1)

    def existing(self, ids: Ints) -> Ints:
        """Return those of the row numbers, in ascending order, that exist."""
        parts = [
            self.fulfilling(ids[start : start + ROWS_AT_ONCE], Condition())
            for start in range(0, len(ids), ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else ids

    def some_checksums(self, next_id: int) -> dict[int, int]:
        """Return the stored checksums of some features, spread over all rows, by row number."""
        after = "SELECT id, crc FROM vectors WHERE id >= ? ORDER BY id LIMIT 1"
        last = "SELECT id, crc FROM vectors ORDER BY id DESC LIMIT 1"
        with self._engine.reading() as (connection, _):
            found = [
                row
                for step in range(NUM_CHECKSUMS)
                for row in connection.execute(after, (1 + step * next_id // NUM_CHECKSUMS,))
            ]
            found += connection.execute(last).fetchall()
        return {int(number): int(crc) for number, crc in found}

    def misfit(self, marks: Marks) -> str:
        """Return why an index was not made from these rows, usually ""."""
        state = self.state()
        if marks.next_id > state.next_id or marks.version > state.version:
            return "it knows rows that the gallery does not have: the gallery is older, or another one"
        with self._engine.reading() as (connection, _):
            found = connection.execute(
                "SELECT id, crc FROM vectors WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(marks.checksums)),),
            ).fetchall()
        if any(marks.checksums[number] != crc for number, crc in found):
            return "it was made from other features: the gallery was replaced"
        return ""

    def _features(self, ids: range | list[int]) -> list[tuple[Ints, Floats]]:
        with self._engine.reading() as (connection, state):
            reader = RowReader(connection, state)
            found = [(columns["id"], vectors) for columns, vectors in reader.read_columns(ids)]
        self._engine.warn_of(reader.broken)
        return found
