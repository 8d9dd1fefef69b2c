"""The audit log of a gallery: one line of JSON per action, with user, time, query and answer."""

from __future__ import annotations

import getpass
import json
import logging
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from reid_gl.gallery.engines.open_engine import file_of
from reid_gl.gallery.engines.sqlite.sqlite_file import RIGHTS, real_path
from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)

ENDING = ".audit.jsonl"
CHECKSUM = "crc"
MAX_LINE_BYTES = 2**30
"""Maximum length of a line that is parsed; a search with 10^8 answers writes a longer one."""
MAX_SHOWN = 20
"""Maximum number of damaged lines that a message names."""


def audit_path(gallery: Path) -> Path:
    """Return the default log of a gallery in a file, next to that file."""
    file = real_path(gallery)
    return file.with_name(file.name + ENDING)


def default_log(uri: str | Path) -> Path:
    """Return the audit log of a gallery in a file.

    Raises:
        ValueError: the URI names a server, or an unknown engine.
    """
    file = file_of(uri)
    if file is None:
        raise ValueError(f"{uri} is not a file, so it has no default audit log: name one with audit_log")
    return audit_path(file)


def current_user() -> str:
    """Return the user's name in the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a list of users
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"


class AuditLog:
    """Appends to the log; several processes may do so at once.

    Args:
        path: path of the log, which is created at the first action.
        user: name of the acting user.
    """

    def __init__(self, path: Path, user: str) -> None:
        self.path, self._user = path.absolute(), user

    def write(self, action: str, details: Mapping[str, Any], user: str | None = None) -> None:
        """Add a line. It survives if the process is killed, but may be lost in a power failure.

        Args:
            action: what is done.
            details: plain values that describe it.
            user: name of another acting user than the log's.

        Raises:
            OSError: the file cannot be written; the caller must not perform the action.
        """
        user = self._user if user is None else user
        entry = {"action": action, "at": time.time(), "user": user, "process": os.getpid(), **details}
        line = json.dumps({**entry, CHECKSUM: _checksum(entry)}) + "\n"
        if not _is_file_or_new(self.path):
            raise self._refusal(OSError(f"it {why_no_file(self.path)}"))
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, RIGHTS)
        except OSError as error:
            raise self._refusal(error) from error
        try:
            size = os.fstat(descriptor).st_size
            if size and _last_byte(descriptor, size) != b"\n":  # a killed process left half a line
                line = "\n" + line
            data = line.encode()
            if os.write(descriptor, data) != len(data):
                raise OSError("the disk is full")
        except OSError as error:
            raise self._refusal(error) from error
        finally:
            os.close(descriptor)

    def write_done(self, action: str, details: Mapping[str, Any]) -> None:
        """Add a line that an action has been done; if that fails, only warn, because it has been done."""
        try:
            self.write(f"{action} done", details)
        except OSError as error:
            logger.warning("%s is done, but not logged: %s", action, error)

    def _refusal(self, error: OSError) -> OSError:
        reason = error.strerror or str(error)
        return type(error)(
            f"the audit log {self.path} cannot be written ({reason}), and nothing is done without it: name "
            "another file with audit_log"
        )


def damaged_lines(path: Path) -> list[int]:
    """Return the numbers, from 1, of lines that do not match their checksum; none if there is no log."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        return [number for number, line in enumerate(_lines(file), start=1) if not _is_whole(line)]


def log_problems(path: Path) -> list[str]:
    """Return what `verify` says of a log, usually nothing."""
    if not _is_file_or_new(path):
        return [f"audit log {path} {why_no_file(path)}"]
    lines = damaged_lines(path)
    more = f" and {len(lines) - MAX_SHOWN:,} more" if len(lines) > MAX_SHOWN else ""
    return [f"audit log {path}: damaged lines {lines[:MAX_SHOWN]}{more}"] if lines else []


def _is_file_or_new(path: Path) -> bool:
    """Whether lines can be added to a path; a pipe would block or lose them, a device lose them."""
    return path.is_file() or not os.path.lexists(path)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file; of a line that is too long, only the beginning."""
    while line := file.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES)


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"}\n"):
        return False
    try:
        entry = json.loads(line)
        checksum = entry.pop(CHECKSUM)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return False
    return bool(checksum == _checksum(entry))


def _checksum(entry: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(entry, sort_keys=True).encode())


def _last_byte(descriptor: int, size: int) -> bytes:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1)
