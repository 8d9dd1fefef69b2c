"""Rows of a gallery in SQLite, with checksums; damaged rows are reported and left out."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reid_gl.gallery.engines.sqlite.sqlite_file import State
from reid_gl.gallery.engines.vector_bytes import BLOB, vector_checksum
from reid_gl.gallery.interface.sightings import Floats, Sighting, StoredRow

SIGHTING_FIELDS = "id, camera, time, tracklet, pid, path, frame, x1, y1, x2, y2, added"
INSERT_SIGHTING = f"INSERT INTO sightings (version, {SIGHTING_FIELDS}, crc) VALUES ({', '.join(['?'] * 14)})"
INSERT_VECTOR = "INSERT INTO vectors (id, vector, crc) VALUES (?, ?, ?)"
SELECT_ROWS = f"""
SELECT {", ".join(f"s.{name}" for name in SIGHTING_FIELDS.split(", "))}, s.crc, v.vector, v.crc
FROM sightings s LEFT JOIN vectors v ON v.id = s.id WHERE s.id {{}} ORDER BY s.id
"""
NUMBERS = struct.Struct("<qq?dqqq?ddddd")
ROWS_AT_ONCE = 4_096
Values: TypeAlias = tuple[Any, ...]


def sighting_values(number: int, sighting: Sighting, added: float) -> tuple[Any, ...]:
    """Return the values of SIGHTING_FIELDS, then their checksum."""
    box = sighting.box or (None, None, None, None)
    values = (
        number,
        sighting.camera,
        sighting.time,
        sighting.tracklet,
        sighting.pid,
        sighting.path,
        sighting.frame,
        *box,
        added,
    )
    return (*values, _checksum(values))


class RowReader:
    """Reads rows in batches; rows that cannot be read are left out and recorded.

    Args:
        connection: connection to the file.
        state: state of the file.

    Attributes:
        broken: why rows cannot be used, by row number.
    """

    def __init__(self, connection: sqlite3.Connection, state: State) -> None:
        self._connection, self._state = connection, state
        self.broken: dict[int, str] = {}

    def read(self, ids: Sequence[int]) -> Iterator[list[StoredRow]]:
        """Yield rows by their numbers, in ascending order; unknown numbers are skipped."""
        for values in self._read_values(ids):
            yield [_row(row) for row in values]

    def read_columns(self, ids: Sequence[int]) -> Iterator[tuple[dict[str, NDArray[Any]], Floats]]:
        """Yield the rows as columns, see Matrix, and features (M, D)."""
        for values in self._read_values(ids):
            number, camera, time, tracklet, pid, *_, added, _, vector, _ = zip(*values, strict=True)
            times = np.array(time, np.float64)  # NaN for None
            columns = {
                "id": np.array(number, np.int64),
                "camera": np.array(camera, np.int64),
                "tracklet": np.array(tracklet, np.int64),
                "pid": np.array(pid, np.int64),
                "time": times,
                "moment": np.where(np.isnan(times), np.array(added, np.float64), times),
            }
            yield columns, np.frombuffer(b"".join(vector), BLOB).reshape(len(values), -1)

    def _read_values(self, ids: Sequence[int]) -> Iterator[list[Values]]:
        for start in range(0, len(ids), ROWS_AT_ONCE):
            if values := self._read_batch(ids[start : start + ROWS_AT_ONCE]):
                yield values

    def _read_batch(self, ids: Sequence[int]) -> list[Values]:
        try:
            found = self._connection.execute(*_select(ids)).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
            return self._read_halves(ids, error)
        except sqlite3.DatabaseError as error:
            return self._read_halves(ids, error)
        dimension = self._state.dimension
        faults = {values[0]: fault for values in found if (fault := _fault(values, dimension))}
        self.broken.update(faults)
        return [values for values in found if values[0] not in faults] if faults else found

    def _read_halves(self, ids: Sequence[int], error: sqlite3.DatabaseError) -> list[Values]:
        """Read the halves of a batch separately, down to the rows that cannot be read."""
        if len(ids) == 1:
            self.broken[ids[0]] = str(error)
            return []
        middle = len(ids) // 2
        return self._read_batch(ids[:middle]) + self._read_batch(ids[middle:])


def listed(connection: sqlite3.Connection, state: State) -> list[int]:
    """Return the numbers of all rows, in ascending order; in a damaged file, all that any table still has."""
    statements = (
        "SELECT id FROM sightings NOT INDEXED",
        "SELECT id FROM sightings INDEXED BY sightings_version",
        "SELECT id FROM vectors",
    )
    found: set[int] = set()
    for place, statement in enumerate(statements):
        try:
            for (number,) in connection.execute(statement):
                found.add(number)
        except sqlite3.DatabaseError:
            continue
        if place == 0 and len(found) == state.num_rows:
            break
    return sorted(number for number in found if 0 < number < max(state.next_id, 1))


def _select(ids: Sequence[int]) -> tuple[str, tuple[int, int] | tuple[str]]:
    if ids[-1] - ids[0] + 1 == len(ids):
        return SELECT_ROWS.format("BETWEEN ? AND ?"), (ids[0], ids[-1])
    return SELECT_ROWS.format("IN (SELECT value FROM json_each(?))"), (f"[{','.join(map(str, ids))}]",)


def _fault(values: Values, dimension: int | None) -> str:
    """Return why a row cannot be used, usually ""."""
    crc, vector, vector_crc = values[12:]
    try:
        if _checksum(values[:12]) != crc:
            return "the metadata does not match its checksum"
    except (struct.error, TypeError, AttributeError, UnicodeError):
        return "the metadata is invalid"
    if not isinstance(vector, bytes):
        return "the feature is missing"
    if vector_checksum(values[0], vector) != vector_crc:
        return "the feature does not match its checksum"
    if dimension is not None and len(vector) != BLOB.itemsize * dimension:
        return f"the feature has {len(vector) // BLOB.itemsize} numbers, expected {dimension}"
    return ""


def _row(values: Values) -> StoredRow:
    number, camera, time, tracklet, pid, path, frame, x1, y1, x2, y2, added = values[:12]
    box = None if x1 is None else (x1, y1, x2, y2)
    return StoredRow(number, Sighting(camera, time, tracklet, pid, path, frame, box), added, values[13])


def _checksum(values: Sequence[Any]) -> int:
    number, camera, time, tracklet, pid, path, frame, x1, y1, x2, y2, added = values
    packed = NUMBERS.pack(
        *(number, camera, time is not None, time or 0.0, tracklet, pid, frame, x1 is not None),
        *(x1 or 0.0, y1 or 0.0, x2 or 0.0, y2 or 0.0, added),
    )
    return zlib.crc32(path.encode(), zlib.crc32(packed))
