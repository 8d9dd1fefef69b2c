"""Features as bytes with a checksum, the same on every engine."""

from __future__ import annotations

import zlib

import numpy as np

from reid_gl.gallery.interface.sightings import Floats

BLOB = np.dtype("<f4")


def vector_values(number: int, vector: Floats) -> tuple[int, bytes, int]:
    """Return number, bytes and checksum of a feature (D,)."""
    blob = vector.astype(BLOB, copy=False).tobytes()
    return number, blob, vector_checksum(number, blob)


def vector_checksum(number: int, blob: bytes) -> int:
    """Return the checksum of a row's number and the bytes of its feature."""
    return zlib.crc32(blob, zlib.crc32(number.to_bytes(8, "little")))
