"""Check that the nested parts of a MATLAB file (version 5 to 7) are consistent, before scipy reads them.

Layout: "MAT-File Format", MathWorks, chapter 1 (level 5 files). A file is a header and elements, each with a
tag of type and size. A matrix is an element that holds its flags, dimensions and name, then its content.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_gl.untrusted.sizes import largest_content

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Bytes of one item by the type of an element; the last three are text in UTF-8, -16 and -32."""
NAMES, SIZES, FLAGS = (1, 2), (5,), (6,)
CELL, STRUCT, OBJECT, TEXT, SPARSE = 1, 2, 3, 4, 5
NUMBERS = range(6, 16)
IS_COMPLEX = 0x800
MAX_DEPTH, MAX_DIMENSIONS, MAX_MATRICES = 16, 32, 2_000_000


class LayoutError(ValueError):
    """The parts of a file are inconsistent; callers complete the message to a sentence."""


@dataclass
class _Part:
    """The bytes from `at` to `end`, which hold elements."""

    data: memoryview
    order: str
    at: int
    end: int
    num_matrices: int = 0

    def next_element(self) -> tuple[int, int, int]:
        """Return type, start and size in bytes of the next element's content, and move behind it."""
        if self.at + 8 > self.end:
            raise LayoutError("it ends too early")
        kind, size = struct.unpack_from(f"{self.order}II", self.data, self.at)
        if kind >> 16:  # small elements have type and size in one word, and the content in the next one
            kind, size, start = kind & 0xFFFF, kind >> 16, self.at + 4
            self.at += 8
            if size > 4:
                raise LayoutError("a part is larger than the space for it")
        else:
            start = self.at + 8
            padding = 0 if kind == COMPRESSED else -size % 8
            self.at = min(start + size + padding, max(self.end, start + size))
        if start + size > self.end:
            raise LayoutError("a part is larger than the rest of the file")
        return kind, start, size

    def next_items(self, kinds: Sequence[int], what: str) -> tuple[int, int, int]:
        """Return type, start and number of items of the next element, which must have one of the types."""
        kind, start, size = self.next_element()
        if kind not in kinds or size % ITEM_BYTES[kind]:
            raise LayoutError(f"there are no {what} where they should be")
        return kind, start, size // ITEM_BYTES[kind]


def check_layout(path: Path, size: int, names: Sequence[str]) -> None:
    """Check a file, and the variables of these names completely.

    Args:
        path: the file.
        size: its bytes.
        names: the variables that will be read.

    Raises:
        LayoutError: scipy must not read it.
        OSError: it cannot be opened.
    """
    if size == 0:
        raise LayoutError("it is empty")
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128], "")
        if len(header) < HEADER_BYTES or not order or header[124:126] not in (b"\0\1", b"\1\0"):
            raise LayoutError("expected version 5 to 7, which MATLAB writes with -v7")
        at = HEADER_BYTES
        while at < size:
            file.seek(at)
            tag = file.read(8)
            if len(tag) < 8:
                raise LayoutError("it ends too early")
            kind, length = struct.unpack(f"{order}II", tag)
            if kind not in (MATRIX, COMPRESSED) or length > size - at - 8:
                raise LayoutError("it is damaged or cut short")
            content = file.read(length)
            _check_variable(_unpacked(content, order) if kind == COMPRESSED else content, order, names)
            at += 8 + length


def _unpacked(content: bytes, order: str) -> bytes:
    """Return the content of the only matrix in compressed data."""
    unpacker = zlib.decompressobj()
    limit = largest_content(len(content))
    try:
        data = unpacker.decompress(content, limit)
    except zlib.error as error:
        raise LayoutError(f"its compressed data are damaged ({error})") from None
    if unpacker.unconsumed_tail:
        raise LayoutError(f"{len(content):,} bytes in it unpack to more than {limit:,}")
    kind, length = struct.unpack_from(f"{order}II", data) if len(data) >= 8 else (0, 0)
    if not unpacker.eof or kind != MATRIX or length != len(data) - 8:
        raise LayoutError("its compressed data are damaged or cut short")
    return data[8:]


def _check_variable(content: bytes, order: str, names: Sequence[str]) -> None:
    _check_matrix(_Part(memoryview(content), order, 0, len(content)), 0, names)


def _check_matrix(part: _Part, depth: int, names: Sequence[str] | None) -> None:
    """Check the content of a matrix; with names, only if it has one of them."""
    part.num_matrices += 1
    if depth > MAX_DEPTH or part.num_matrices > MAX_MATRICES:
        raise LayoutError(f"more than {MAX_DEPTH} levels or {MAX_MATRICES:,} matrices")
    if part.at == part.end:  # an empty cell
        if depth:
            return
        raise LayoutError("it holds a variable without content")
    _, start, count = part.next_items(FLAGS, "flags")
    if count != 2:
        raise LayoutError("there are no flags where they should be")
    (flags,) = struct.unpack_from(f"{part.order}I", part.data, start)
    _, start, rank = part.next_items(SIZES, "sizes")
    if not 2 <= rank <= MAX_DIMENSIONS:
        raise LayoutError(f"it has a matrix of {rank} dimensions")
    sizes = struct.unpack_from(f"{part.order}{rank}i", part.data, start)
    if min(sizes) < 0:
        raise LayoutError("it has a matrix of negative size")
    _, start, length = part.next_items(NAMES, "names")
    name = bytes(part.data[start : start + length]).decode("latin-1")
    if names is None or name in names:
        _check_content(part, flags, math.prod(sizes), depth)


def _check_content(part: _Part, flags: int, count: int, depth: int) -> None:
    kind = flags & 0xFF
    if kind in (CELL, STRUCT, OBJECT):
        _check_inner(part, kind, count, depth)
    elif kind in NUMBERS:
        for _ in range(2 if flags & IS_COMPLEX else 1):
            if part.next_items(tuple(ITEM_BYTES), "numbers")[2] != count:
                raise LayoutError("a matrix does not have as many numbers as its sizes say")
    elif kind == TEXT:
        _check_text(part, count)
    elif kind == SPARSE:
        raise LayoutError("it holds a sparse matrix: save it full")
    else:
        raise LayoutError(f"it holds a value of an unknown kind ({kind})")


def _check_text(part: _Part, count: int) -> None:
    if not count and part.at == part.end:
        return
    kind, start, items = part.next_items(tuple(ITEM_BYTES), "letters")
    if kind == 16:  # as many bytes as UTF-8 needs
        text = bytes(part.data[start : start + items])
        try:
            items = len(text.decode("utf-8"))
        except UnicodeDecodeError:
            raise LayoutError("a text in it is not UTF-8") from None
    if items != count:
        raise LayoutError("a text does not have as many letters as its sizes say")


def _check_inner(part: _Part, kind: int, count: int, depth: int) -> None:
    """Check cells, or structures: the names of the fields, and a matrix for each field of each structure."""
    if kind == OBJECT:
        part.next_items(NAMES, "names")
    if kind != CELL:
        _, start, ones = part.next_items(SIZES, "lengths of names")
        width = struct.unpack_from(f"{part.order}i", part.data, start)[0] if ones == 1 else 0
        _, start, letters = part.next_items(NAMES, "names of fields")
        if width < 1 or letters % width:
            raise LayoutError("the names of its fields are damaged")
        text = bytes(part.data[start : start + letters])
        fields = [text[place : place + width].split(b"\0")[0] for place in range(0, letters, width)]
        if len(set(fields)) < len(fields) or not all(fields):
            raise LayoutError("the names of its fields are damaged")
        count *= len(fields)
    if count > MAX_MATRICES:
        raise LayoutError(f"more than {MAX_MATRICES:,} matrices")
    for _ in range(count):
        matrix, start, size = part.next_element()
        if matrix != MATRIX:
            raise LayoutError("there is no matrix where one should be")
        inner = _Part(part.data, part.order, start, start + size, part.num_matrices)
        _check_matrix(inner, depth + 1, None)
        part.num_matrices = inner.num_matrices
