"""SQLite transactions that raise this package's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reid_gl.gallery.engines.sqlite.sqlite_file import DamagedGalleryError


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path, *, writes: bool) -> Iterator[None]:
    """Apply all changes of a block, or none.

    Raises:
        DamagedGalleryError: parts of the file cannot be read.
        TimeoutError: another program keeps the file locked.
        OSError: the disk is full, or fails.
    """
    try:
        connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            yield
            connection.execute("COMMIT" if writes else "ROLLBACK")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.DatabaseError as error:
        raise explained(error, path) from error


def explained(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """Convert an error of SQLite to one of ours."""
    text = str(error)
    if "locked" in text:
        return TimeoutError(f"gallery {path} is busy: another program has kept it locked for too long")
    if "malformed" in text or "not a database" in text:
        return DamagedGalleryError(
            f"gallery {path} is damaged ({text}): `reid-gl gallery verify` lists what is lost"
        )
    return OSError(f"gallery {path} cannot be read or written ({text}): nothing of this call was stored")
