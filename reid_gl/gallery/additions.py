"""Add rows to a gallery, with a line in its audit log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from reid_gl.gallery.audit_log import AuditLog
from reid_gl.gallery.interface.addition_key import AdditionKey
from reid_gl.gallery.interface.engine import Addition, Engine, Parts
from reid_gl.gallery.interface.sightings import Floats, Ints, Sighting, checked_parts


def add_logged(
    engine: Engine, log: AuditLog, parts: Parts, key: AdditionKey | None, user: str | None
) -> Ints:
    """Check and add rows; see Gallery.add_parts."""
    logged = _logged(log, checked_parts(parts, engine.dimension), user)
    return engine.add(Addition(logged, time.time(), key))


def _logged(log: AuditLog, parts: Parts, user: str | None) -> Iterator[tuple[Floats, Sequence[Sighting]]]:
    """Yield the parts of an addition, then log it.

    An engine takes all parts before it commits, so nothing is stored if the log cannot be written.
    """
    count = 0
    for vectors, sightings in parts:
        count += len(vectors)
        yield vectors, sightings
    if count:
        log.write("add", {"rows": count}, user)
