"""Convert conditions to SQL."""

from __future__ import annotations

import json

from reid_gl.gallery.interface.condition import Condition


def to_sql(condition: Condition) -> tuple[str, list[str | float]]:
    """Return a condition in SQL, and the values of its question marks."""
    clauses: list[str] = ["1"]
    values: list[str | float] = []
    for name, wanted in condition.only.items():
        clauses.append(f"{name} IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(wanted)))
    for rule in condition.without:
        clauses.append(
            f"NOT ({' AND '.join(f'{name} IN (SELECT value FROM json_each(?))' for name in rule)})"
        )
        values.extend(json.dumps(sorted(wanted)) for wanted in rule.values())
    for limit, comparison in (
        (condition.first_time, "time >= ?"),  # false for unknown times
        (condition.first_time, "coalesce(time, added) >= ?"),  # follows, but this one has an index of its own
        (condition.last_time, "time <= ?"),
        (condition.last_time, "coalesce(time, added) <= ?"),
        (condition.since, "coalesce(time, added) >= ?"),
        (condition.before, "coalesce(time, added) < ?"),
    ):
        if limit is not None:
            clauses.append(comparison)
            values.append(limit)
    return " AND ".join(clauses), values
