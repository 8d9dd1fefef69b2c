"""Delete rows that a gallery no longer keeps."""

from __future__ import annotations

import time

from reid_gl.gallery.audit_log import AuditLog
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Engine


def delete_expired(engine: Engine, log: AuditLog) -> int:
    """Delete rows older than the gallery's retention age, record it if there are any, and return how many."""
    if engine.keep_seconds is None:
        return 0
    deleted = engine.delete(Condition(before=time.time() - engine.keep_seconds))
    if deleted:
        log.write("retention", {"rows": deleted, "keep_seconds": engine.keep_seconds})
    return deleted
