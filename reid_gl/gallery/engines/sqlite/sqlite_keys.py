"""Keys of additions in the SQLite file, stored in the transaction of their rows."""

from __future__ import annotations

import sqlite3

from reid_gl.gallery.interface.addition_key import KEY_SECONDS, AdditionKey

TABLE = """
CREATE TABLE IF NOT EXISTS additions (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, first INTEGER NOT NULL, num_rows INTEGER NOT NULL,
  added REAL NOT NULL)
"""
INDEX = "CREATE INDEX IF NOT EXISTS additions_added ON additions (added)"


def added_rows(connection: sqlite3.Connection, key: AdditionKey) -> range | None:
    """Return the numbers of the rows that were added under a key; None if it is new.

    Args:
        connection: connection to the file, inside a transaction.
        key: the key.

    Raises:
        ValueError: the rows had other metadata.
    """
    connection.execute(TABLE)  # made when it is first needed
    connection.execute(INDEX)
    found = connection.execute(
        "SELECT fingerprint, first, num_rows FROM additions WHERE key = ?", (key.text,)
    ).fetchone()
    if found is None:
        return None
    fingerprint, first, num_rows = found
    if fingerprint != key.fingerprint:
        raise key.conflict()
    return range(first, first + num_rows)


def remember_rows(connection: sqlite3.Connection, key: AdditionKey, rows: range, added: float) -> None:
    """Store the key of an addition, and forget keys that are too old."""
    connection.execute("DELETE FROM additions WHERE added < ?", (added - KEY_SECONDS,))
    connection.execute(
        "INSERT INTO additions VALUES (?, ?, ?, ?, ?)",
        (key.text, key.fingerprint, rows.start, len(rows), added),
    )
