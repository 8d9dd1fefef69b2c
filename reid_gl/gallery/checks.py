"""Checks of numbers that callers give."""

from __future__ import annotations

import math
import operator
from numbers import Real


def at_least_one(value: int, name: str) -> int:
    """Return a whole number of at least 1.

    Raises:
        ValueError: the value is something else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return number


def checked_age(seconds: float | None) -> float | None:
    """Return an age at which rows are deleted, None for never.

    Raises:
        ValueError: it is not a positive number.
    """
    if seconds is not None and not (isinstance(seconds, Real) and 0 < seconds < math.inf):
        raise ValueError(f"rows are kept for a positive number of seconds, got {seconds!r}")
    return seconds


def checked_cosine(value: float) -> float:
    """Return a smallest score.

    Raises:
        ValueError: it is not in [-1, 1].
    """
    if not (isinstance(value, Real) and -1 <= value <= 1):
        raise ValueError(f"min_score is a cosine in [-1, 1], got {value!r}")
    return value
