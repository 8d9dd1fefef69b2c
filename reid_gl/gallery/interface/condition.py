"""Conditions that select rows of a gallery: by camera, time, tracklet, identity and number."""

from __future__ import annotations

import math
import operator
import time as clock
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

FIELDS = ("id", "camera", "tracklet", "pid")
"""Fields that can be selected by lists of values."""
Values: TypeAlias = "int | Iterable[int]"
TimeRange: TypeAlias = "tuple[float | None, float | None]"


@dataclass(frozen=True)
class Condition:
    """Selects the rows that satisfy all of its parts.

    Attributes:
        only: allowed values by field.
        without: each leaves out the rows that have one of the values in every field it names.
        first_time: earliest time in seconds since 1970; if set, rows of unknown time are left out.
        last_time: latest time, as first_time.
        since: smallest moment: the time of a row, or when it was added if its time is unknown.
        before: moments must be smaller than this.
    """

    only: Mapping[str, frozenset[int]] = field(default_factory=dict)
    without: tuple[Mapping[str, frozenset[int]], ...] = ()
    first_time: float | None = None
    last_time: float | None = None
    since: float | None = None
    before: float | None = None

    def younger_than(self, seconds: float | None) -> Condition:
        """Return the same condition, limited to rows of at most this age; None changes nothing."""
        return self if seconds is None else replace(self, since=clock.time() - seconds)

    def to_dict(self) -> dict[str, object]:
        """Return the parts that are set, as plain values for JSON."""
        plain: dict[str, object] = {name: sorted(values) for name, values in self.only.items()}
        if self.without:
            plain["exclude"] = [{name: sorted(v) for name, v in rule.items()} for rule in self.without]
        for name in ("first_time", "last_time", "since", "before"):
            if getattr(self, name) is not None:
                plain[name] = getattr(self, name)
        return plain


def make_condition(
    *,
    only: Mapping[str, Values | None],
    time: TimeRange | None = None,
    exclude: Mapping[str, Values] | Sequence[Mapping[str, Values]] = (),
    since: float | None = None,
    before: float | None = None,
) -> Condition:
    """Check the caller's arguments and make a condition.

    Args:
        only: values by field, None for any.
        time: first and last time, both included; None for no limit.
        exclude: one rule or several; a rule leaves out the rows that match all of its fields.
        since: see Condition.
        before: see Condition.

    Raises:
        ValueError: a field is unknown, values are not whole numbers, or times are not in order.
    """
    rules = [exclude] if isinstance(exclude, Mapping) else list(exclude)
    if not all(isinstance(rule, Mapping) and rule for rule in rules):
        raise ValueError(f"exclude must be a mapping of fields to values, or several, got {exclude!r}")
    first, last = _time_range(time)
    return Condition(
        {name: _values(name, values) for name, values in only.items() if values is not None},
        tuple({name: _values(name, values) for name, values in rule.items()} for rule in rules),
        first,
        last,
        None if since is None else _moment(since, "since"),
        None if before is None else _moment(before, "older_than"),
    )


def _values(name: str, values: Values) -> frozenset[int]:
    if name not in FIELDS:
        raise ValueError(f"rows cannot be selected by {name!r}: expected one of {', '.join(FIELDS)}")
    listed = [values] if not isinstance(values, Iterable) else values
    try:
        return frozenset(operator.index(value) for value in listed)
    except TypeError:
        raise ValueError(f"values of {name} must be whole numbers, got {values!r}") from None


def _time_range(time: TimeRange | None) -> TimeRange:
    if time is None:
        return None, None
    if not isinstance(time, tuple | list) or len(time) != 2:
        raise ValueError(f"time must be (first, last) in seconds since 1970, got {time!r}")
    first, last = (None if end is None else _moment(end, "time") for end in time)
    if first is not None and last is not None and first > last:
        raise ValueError(f"time ends before it begins: from {first} to {last}")
    return first, last


def _moment(value: float, name: str) -> float:
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{name} must be finite seconds since 1970, got {value!r}")
    return float(value)
