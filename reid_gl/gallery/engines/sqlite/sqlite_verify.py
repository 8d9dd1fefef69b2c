"""Find damage in the SQLite file of a gallery."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from reid_gl.gallery.engines.sqlite.sqlite_file import DamagedGalleryError, State, missing_bytes, read_state
from reid_gl.gallery.engines.sqlite.stored_rows import RowReader, listed
from reid_gl.gallery.engines.vector_bytes import BLOB
from reid_gl.gallery.interface.engine import Verification

MOST_PROBLEMS = 100


def verify_file(connection: sqlite3.Connection, path: Path) -> Verification:
    """Check the pages, the checksum of every row, and the number of rows.

    SQLite's own check covers the structure of the file; the checksums also find flipped bytes in features. A
    flipped byte in unused space changes nothing and is not found.

    Args:
        connection: connection to the file, inside a transaction.
        path: path of the file.
    """
    problems = _structure(connection)
    if cut := missing_bytes(connection, path):
        problems.append(f"truncated: {cut}")
    try:
        state = read_state(connection)
        expected = state.num_rows
    except (DamagedGalleryError, sqlite3.DatabaseError) as error:
        problems.append(f"state: {error}")
        state, expected = guess_state(connection), None
    reader = RowReader(connection, state)
    num_rows = sum(len(rows) for rows in reader.read(listed(connection, state)))
    missing = 0 if expected is None else expected - num_rows - len(reader.broken)
    if missing:
        problems.append(
            f"{expected:,} rows were added and not deleted, {abs(missing):,} "
            f"{'of them are missing' if missing > 0 else 'more are there'}"
        )
    return Verification(num_rows, reader.broken, problems)


def guess_state(connection: sqlite3.Connection) -> State:
    """Reconstruct the state of a file from its rows, if the stored state is unreadable; for reading only."""
    found = {}
    for name, statement in {
        "dimension": f"SELECT length(vector) / {BLOB.itemsize} FROM vectors LIMIT 1",
        "version": "SELECT max(version) FROM sightings",
        "next_id": "SELECT max(id) + 1 FROM vectors",
    }.items():
        try:
            row = connection.execute(statement).fetchone()
        except sqlite3.DatabaseError:
            row = None
        found[name] = row[0] if row else None
    return State(found["dimension"], found["version"] or 0, found["next_id"] or 2**62, num_rows=-1)


def _structure(connection: sqlite3.Connection) -> list[str]:
    try:
        lines = connection.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"structure: {error}"]
    return [f"structure: {text}" for (line,) in lines for text in str(line).splitlines() if text != "ok"]
