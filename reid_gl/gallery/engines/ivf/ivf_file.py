"""The file of an index: faiss's own format, followed by a description with a checksum of the whole."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reid_gl.files import whole_or_nothing
from reid_gl.gallery.engines.ivf.ivf_index import IvfIndex, read_index
from reid_gl.gallery.engines.ivf.ivf_settings import Breadth, Marks
from reid_gl.gallery.engines.sqlite.sqlite_file import RIGHTS, DamagedGalleryError
from reid_gl.untrusted.regular_file import why_no_file

FORMAT = 1
TAIL = struct.Struct("<II8s")
"""Length and checksum of the description, then MAGIC: the last bytes of the file."""
MAGIC = b"reid_gl1"
BYTES_AT_ONCE = 2**24


def save_index(path: Path, index: IvfIndex, marks: Marks) -> None:
    """Replace the file of an index in one step; a kill leaves the old one."""
    with whole_or_nothing(path) as partial:
        os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, RIGHTS))
        index.write(partial)
        size = partial.stat().st_size
        known = {
            "format": FORMAT,
            "size": size,
            "crc": _checksum(partial, size),
            "lists": index.num_lists,
            "code_bytes": index.code_bytes,
            "rows": len(index),
            **asdict(marks),
        }
        text = json.dumps(known).encode()
        with partial.open("ab") as file:
            file.write(text + TAIL.pack(len(text), zlib.crc32(text), MAGIC))
            file.flush()
            os.fsync(file.fileno())


def read_numbers(path: Path) -> dict[str, int]:
    """Return what the file says of its index: lists, code_bytes, rows, num_trained and others.

    Raises:
        DamagedGalleryError: the end of the file is damaged.
    """
    return {name: value for name, value in _description(path).items() if isinstance(value, int)}


def read_marks(path: Path) -> Marks:
    """Return what the index knows of its gallery; errors as read_numbers."""
    known = _description(path)
    checksums = {int(number): int(crc) for number, crc in known["checksums"].items()}
    breadth = Breadth(**known["breadth"]) if known.get("breadth") else None  # older files have none
    return Marks(known["version"], known["next_id"], known["num_trained"], checksums, breadth)


def load_index(path: Path) -> tuple[IvfIndex, Marks]:
    """Check and read an index and its marks.

    Raises:
        DamagedGalleryError: the file does not match its checksum, or faiss cannot read it.
    """
    while True:
        if fault := index_fault(path):
            raise DamagedGalleryError(fault)
        marks = read_marks(path)
        try:
            index = read_index(path)
        except ValueError as error:
            raise cannot_be_used(path, str(error)) from None
        if read_marks(path) == marks:  # a writer may have replaced the file meanwhile
            return index, marks


def index_fault(path: Path, misfit: Callable[[Marks], str] | None = None) -> str:
    """Return why an index cannot be used, usually ""; reads the whole file.

    Args:
        path: file of the index.
        misfit: says why marks do not fit the gallery; None to leave that out.
    """
    try:
        known = _description(path)
        fault = "" if misfit is None else misfit(read_marks(path))
    except DamagedGalleryError as error:
        return str(error)
    if _checksum(path, known["size"]) != known["crc"]:
        fault = "it does not match its checksum"
    return str(cannot_be_used(path, fault)) if fault else ""


def _description(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise cannot_be_used(path, f"it {why_no_file(path)}")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL.size, 0))
        end = file.read(TAIL.size)
        length, crc, magic = TAIL.unpack(end) if len(end) == TAIL.size else (0, 0, b"")
        start = size - TAIL.size - length
        if magic != MAGIC or start < 0:
            raise cannot_be_used(path, "its end is missing")
        file.seek(start)
        text = file.read(length)
    known = json.loads(text) if zlib.crc32(text) == crc else {}
    if known.get("size") != start:
        raise cannot_be_used(path, "its description does not match its checksum")
    if known["format"] != FORMAT:
        raise cannot_be_used(path, f"it has format {known['format']}, this version reads format {FORMAT}")
    return dict(known)


def cannot_be_used(path: Path, fault: str) -> DamagedGalleryError:
    """Return the error for an index that is damaged or does not fit its gallery."""
    return DamagedGalleryError(
        f"index {path} cannot be used ({fault}); the rows of the gallery are not affected: `reid-gl gallery "
        "train` makes a new index"
    )


def _checksum(path: Path, size: int) -> int:
    """Return the checksum of the first bytes of a file."""
    crc = 0
    with path.open("rb") as file:
        while size and (data := file.read(min(size, BYTES_AT_ONCE))):
            crc, size = zlib.crc32(data, crc), size - len(data)
    return crc
