"""Limits on the unpacked size that a file may declare."""

from __future__ import annotations

SMALL = 100_000_000
"""Unpacked size in bytes that is always allowed."""
MAX_RATIO = 100
"""Above SMALL, data may unpack to at most this many times their size in the file."""
MAX_ARRAYS_BYTES = 20_000_000_000
"""Maximum size in bytes of a file of arrays."""


def largest_content(stored: int) -> int:
    """Return the maximum unpacked size of data, given their size in the file, both in bytes."""
    return max(SMALL, MAX_RATIO * stored)
