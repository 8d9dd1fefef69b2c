"""The approximate index that may lie beside a gallery's SQLite file."""

from __future__ import annotations

import logging
from pathlib import Path

from reid_gl.gallery.engines.sqlite.sqlite_file import real_path

logger = logging.getLogger(__name__)

ENDING = ".ivfpq"


def index_path(gallery: Path) -> Path:
    """Return the index of a gallery, next to its file."""
    file = real_path(gallery)
    return file.with_name(file.name + ENDING)


def warn_of_codes_left(gallery: Path) -> None:
    """Warn that the index of a gallery, if there is one, holds codes of rows that were deleted without it."""
    path = index_path(gallery)
    if path.exists():
        logger.warning(
            "index %s still holds codes of the deleted rows: open faiss:%s for writing and close it, to "
            "remove them",
            *(path, gallery),
        )
