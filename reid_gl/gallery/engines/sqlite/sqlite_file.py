"""The SQLite file of a gallery: create it, open it, lock out a second writer, reject foreign files.

The file uses the rollback journal, not the write-ahead log: versions of SQLite up to 3.51.2 can corrupt the
latter, and it keeps acknowledged rows in a second file that is easily left behind.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sqlite3
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)

MODES = ("r", "r+", "a")
"""Read; read and write an existing file; read and write, creating the file if needed."""
APPLICATION_ID = 0x52474C59
FORMAT = 1
PAGE_BYTES = 16_384
"""A page holds seven rows of 512 numbers with little waste, and one damaged page loses no more."""
WAIT_SECONDS = 60.0
"""How long a reader waits for a writer that is committing, and a writer for readers."""
RIGHTS = 0o640
"""Permissions of the file: only its owner may read it."""
CACHE_KIB = 65_536
SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE sightings (
  id INTEGER PRIMARY KEY, version INTEGER NOT NULL, camera INTEGER NOT NULL, time REAL,
  tracklet INTEGER NOT NULL, pid INTEGER NOT NULL, path TEXT NOT NULL, frame INTEGER NOT NULL,
  x1 REAL, y1 REAL, x2 REAL, y2 REAL, added REAL NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE vectors (id INTEGER PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE deleted (id INTEGER PRIMARY KEY, version INTEGER NOT NULL);
CREATE INDEX sightings_version ON sightings (version);
CREATE INDEX sightings_moment ON sightings (coalesce(time, added));
CREATE INDEX sightings_filter ON sightings (camera, time, tracklet, pid, added);
CREATE INDEX sightings_pid ON sightings (pid);
CREATE INDEX deleted_version ON deleted (version);
"""
STATE = "gallery"


class DamagedGalleryError(ValueError):
    """One of our files has parts that cannot be read or do not match their checksum."""


@dataclass(frozen=True)
class State:
    """The state stored in a file, changed in the same transaction as the rows.

    Attributes:
        dimension: D of the features; None before the first row.
        version: version of the rows, increased by each transaction.
        next_id: number of the next row.
        num_rows: number of rows.
        forgotten: deletions before this version are no longer recorded.
        keep_seconds: age at which rows are deleted; None for never.
    """

    dimension: int | None = None
    version: int = 0
    next_id: int = 1
    num_rows: int = 0
    forgotten: int = 0
    keep_seconds: float | None = None


def real_path(path: Path) -> Path:
    """Return the absolute path with links followed; a link to itself stays (Path.resolve raises for it)."""
    return Path(os.path.realpath(path))


def open_file(path: Path, mode: str) -> sqlite3.Connection:
    """Open a gallery file; modes "r+" and "a" need the lock of `lock_for_writing` first.

    Args:
        path: path of the file.
        mode: one of MODES.

    Returns:
        A connection that starts no transaction by itself. In mode "r", if the file is writable, it can roll
        back an unfinished transaction of a killed writer.

    Raises:
        FileNotFoundError: no such file, and the mode is not "a"; or the path is a link to itself.
        IsADirectoryError: the path is a folder.
        DamagedGalleryError: the gallery is damaged and cannot be opened for writing.
        ValueError: the path is a pipe or a device, or the file belongs to another program or another version
            of this one.
    """
    if path.is_dir():
        raise IsADirectoryError(f"gallery {path} is a folder: name a file")
    if not path.exists():
        if path.is_symlink():
            raise FileNotFoundError(f"gallery {path} is a link to itself: name another file")
        if mode != "a":
            raise FileNotFoundError(f"gallery {path} does not exist: add features to create it")
        _create(path)
    if not path.is_file():
        raise ValueError(f"gallery {path} {why_no_file(path)}: name another file")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty and not a gallery: delete it, or name another file")
    is_writable = os.access(path, os.W_OK)
    if mode != "r" and not is_writable:
        raise PermissionError(f"gallery {path} is not writable: open it with mode 'r' to search in it")
    connection = _connect(path, "rw" if is_writable else "ro")
    try:
        _prepare(connection, path, mode)
    except BaseException:
        connection.close()
        raise
    return connection


def lock_for_writing(path: Path) -> sqlite3.Connection:
    """Become the only writer of a gallery, until the connection is closed or the process ends.

    The lock is on an empty file next to it, `<name>.lock`, and uses SQLite's own locking on every system.

    Raises:
        FileNotFoundError: no such folder.
        OSError: the lock is no file, or cannot be made.
        BlockingIOError: there is another writer.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"gallery {path} cannot be created: {path.parent} is not a folder")
    lock_file = path.with_name(f"{path.name}.lock")
    if os.path.lexists(lock_file) and not lock_file.is_file():
        raise OSError(f"{lock_file} {why_no_file(lock_file)}, and locks the gallery: delete it")
    lock = _connect(lock_file, "rwc", wait=0.0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        lock.close()
        if "locked" not in str(error):
            raise OSError(
                f"{lock_file} locks the gallery for writing and cannot be used ({error}): delete it if "
                "nobody writes to the gallery"
            ) from None
        raise BlockingIOError(
            f"gallery {path} is open for writing elsewhere, and only one writer is allowed: open it with "
            "mode 'r' to search in it meanwhile, or close the other one"
        ) from None
    return lock


def read_state(connection: sqlite3.Connection) -> State:
    """Read the state of a file.

    Raises:
        DamagedGalleryError: it does not match its checksum.
        sqlite3.DatabaseError: it cannot be read.
    """
    row = connection.execute("SELECT value, crc FROM state WHERE name = ?", (STATE,)).fetchone()
    if row is None or zlib.crc32(str(row[0]).encode()) != row[1]:
        raise DamagedGalleryError("the state of the gallery does not match its checksum")
    return State(**json.loads(row[0]))


def write_state(connection: sqlite3.Connection, state: State) -> None:
    """Replace the state, inside the caller's transaction."""
    text = json.dumps(asdict(state))
    connection.execute(
        "INSERT OR REPLACE INTO state (name, value, crc) VALUES (?, ?, ?)",
        (STATE, text, zlib.crc32(text.encode())),
    )


def _connect(path: Path, mode: str, *, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise OSError(f"{path} cannot be opened: {error}") from None


def _create(path: Path) -> None:
    """Create a gallery without rows; the file appears only when it is complete."""
    unfinished = path.with_name(f".{path.name}-unfinished-{secrets.token_hex(4)}")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, RIGHTS))
        with contextlib.closing(_connect(unfinished, "rwc")) as connection:
            connection.executescript(SCHEMA)
            write_state(connection, State())
        os.replace(unfinished, path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise OSError(f"gallery {path} cannot be created: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _prepare(connection: sqlite3.Connection, path: Path, mode: str) -> None:
    """Reject foreign files, and configure the connection."""
    found = _identify(connection, path, mode)
    if found[0] != APPLICATION_ID:
        raise ValueError(f"{path} is an SQLite file of another program, not a gallery: name another file")
    if found[1] != FORMAT:
        raise ValueError(
            f"gallery {path} has format {found[1]}, this version reads format {FORMAT}: use the version of "
            "reid_gl that wrote it, export the gallery there and add the export here"
        )
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if mode == "r":
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = EXTRA")  # FULL may lose a commit in a power failure
    connection.execute("PRAGMA secure_delete = ON")


def _identify(connection: sqlite3.Connection, path: Path, mode: str) -> tuple[int, int]:
    """Return the application and the version stored in the file.

    The file is only ever opened through SQLite: closing another handle would drop the locks of other
    connections of this process.
    """
    try:
        found = _read_identity(connection)
        problem = missing_bytes(connection, path)
    except sqlite3.DatabaseError as error:
        found, problem = None, str(error)
    if found is not None and not problem:
        return found
    if "not a database" in problem:
        raise ValueError(
            f"{path} is not a gallery of this package, or its first bytes are damaged: name another file"
        )
    if "locked" in problem:
        raise TimeoutError(f"gallery {path} is busy: another program has kept it locked for too long")
    if mode != "r":
        raise DamagedGalleryError(
            f"gallery {path} is damaged ({problem}): `reid-gl gallery verify` lists what is lost; open it "
            "with mode 'r' and export the rest into a new one"
        )
    # reads the existing pages, although the header counts more
    connection.execute("PRAGMA writable_schema = ON")
    try:
        found = _read_identity(connection)
    except sqlite3.DatabaseError:
        raise DamagedGalleryError(f"the beginning of gallery {path} is damaged: {problem}") from None
    logger.warning("gallery %s is damaged (%s): reading the rest of it", path, problem)
    return found


def missing_bytes(connection: sqlite3.Connection, path: Path) -> str:
    """Return a message if the file is shorter than its pages; else ""."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    missing = int(pages) * int(page_bytes) - path.stat().st_size
    return f"{missing:,} bytes are missing at its end" if missing > 0 else ""


def _read_identity(connection: sqlite3.Connection) -> tuple[int, int]:
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(application), int(version)
