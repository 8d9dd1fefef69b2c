"""How much more than its bytes a file may declare."""

from __future__ import annotations

SMALL = 100_000_000
"""Bytes that anything may unpack to."""
MAX_RATIO = 100
"""Above SMALL, data may unpack to so many times the bytes that they take in the file, and no more."""
MAX_ARRAYS_BYTES = 20_000_000_000
"""Of a file of arrays."""


def largest_content(stored: int) -> int:
    """Return how many bytes data may unpack to, of the bytes that they take in the file."""
    return max(SMALL, MAX_RATIO * stored)
