"""Delete rows that a gallery no longer keeps."""

from __future__ import annotations

import time

from reid_gl.gallery.audit_log import AuditLog
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Engine


def delete_expired(engine: Engine, log: AuditLog) -> int:
    """Delete rows older than the retention age and return how many; if there are any, log it first."""
    age = engine.keep_seconds
    if age is None:
        return 0
    return engine.delete(
        Condition(before=time.time() - age),
        lambda count: log.write("retention", {"rows": count, "keep_seconds": age}),
    )
