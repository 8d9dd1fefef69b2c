"""List rows of a gallery without a search."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice

from reid_gl.gallery.audit_log import AuditLog
from reid_gl.gallery.checks import at_least_one
from reid_gl.gallery.interface.condition import Values, make_condition
from reid_gl.gallery.interface.engine import Engine
from reid_gl.gallery.interface.sightings import Sighting


def list_rows(
    engine: Engine, log: AuditLog, only: Mapping[str, Values], skip: int, count: int
) -> list[tuple[int, Sighting]]:
    """Return the numbers and sightings of rows, in ascending order.

    Rows that are damaged or older than the retention age are left out. The rows that are skipped are read
    too, which takes seconds in a large gallery.

    Args:
        engine: the gallery.
        log: its audit log.
        only: values by field, as of Condition.only: id, camera, tracklet or pid.
        skip: number of rows to leave out at the beginning.
        count: maximum number of rows, at least 1.

    Raises:
        ValueError: skip or count is out of range, or a field is unknown.
    """
    if skip < 0:
        raise ValueError(f"skip is the number of rows to leave out, at least 0, got {skip}")
    count = at_least_one(count, "count")
    condition = make_condition(only=only)
    log.write("read", {"filter": condition.to_dict(), "skip": skip, "count": count})
    batches = engine.read(condition.younger_than(engine.keep_seconds))
    found = islice(chain.from_iterable(batches), skip, skip + count)
    return [(row.id, row.sighting) for row in found]
