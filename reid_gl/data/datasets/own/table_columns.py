"""Chooses the columns of a table to read, and reports the others."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path

from reid_gl.untrusted.regular_file import shortened

logger = logging.getLogger(__name__)

REQUIRED = ("path", "pid", "split")
BOX_COLUMNS = ("x1", "y1", "x2", "y2")
ROLE_COLUMNS = ("is_query", "is_gallery")
"""Roles of a test image; both may be true, as in open-metric-learning's tables."""
COLUMNS = ("path", "pid", "camid", "split", *BOX_COLUMNS, "tracklet", *ROLE_COLUMNS)
GROUP_COLUMNS = {"camid": "cameras", "tracklet": "tracks", "clothes": "clothes", "date": "dates"}
"""Columns of names or numbers, and what they name."""
TABLE_COLUMNS = (*COLUMNS, "clothes", "date", "ignore")
"""The columns of a data set."""
OTHER_NAMES = {
    "path": ("image", "img", "file", "filename", "file_name", "image_path", "img_path", "name"),
    "pid": ("id", "person", "person_id", "identity", "label", "class", "class_id", "vehicle_id", "target"),
    "camid": ("cam", "camera", "cam_id", "camera_id"),
    "split": ("set", "subset", "part", "fold", "partition"),
    "tracklet": ("track", "track_id", "tracklet_id"),
    "clothes": ("clothes_id", "cloth", "cloth_id", "clothid", "outfit"),
    "date": ("day", "timestamp"),
    "ignore": ("junk", "iscrowd", "ignored"),
}
"""Other common names of these columns. Messages suggest a rename; the columns are never renamed silently."""


def choose_columns(
    titles: Sequence[str],
    table: Path,
    *,
    required: Sequence[str] = REQUIRED,
    known: Sequence[str] = COLUMNS,
) -> list[str]:
    """Return the columns to read; a log line names the others.

    Args:
        titles: titles of all columns.
        table: the file, for messages.
        required: columns that must exist.
        known: columns that are read.

    Returns:
        The known titles that the table has, in the order of `known`.

    Raises:
        ValueError: a column is missing.
    """
    wanted = [title for title in known if title in titles]
    extra = [title for title in titles if title not in known]
    groups = (group for group in (BOX_COLUMNS, ROLE_COLUMNS) if set(wanted) & set(group))
    needed = [title for group in groups for title in group]
    missing = [title for title in (*required, *needed) if title not in wanted]
    if missing:
        others = ", ".join(title for title in known if title not in required)
        place = str(table) if table.suffix.lower() in (".json", ".parquet") else f"line 1 of {table}"
        raise ValueError(
            f"{place} has no column {', '.join(map(repr, missing))}: expected "
            f"{', '.join(required)} and, optionally, {others}, found {shortened(', '.join(titles))}; "
            f"{_advice(missing, titles, extra)}"
        )
    if extra:
        logger.info(
            "%s: columns that are not read: %s", table, ", ".join(_describe(t, wanted) for t in extra)
        )
    return wanted


def _advice(missing: Sequence[str], titles: Sequence[str], extra: Sequence[str]) -> str:
    separator = next((mark for mark in ";\t|," if mark in titles[0]), "") if len(titles) == 1 else ""
    if separator:
        return f"it is separated by {separator!r}: use commas in .csv and tabs in .tsv"
    others = {column: next((title for title in extra if _meant(title) == column), "") for column in missing}
    renamed = [f"{other!r} to {column!r}" for column, other in others.items() if other]
    added = [repr(column) for column, other in others.items() if not other]
    steps = [f"rename {', '.join(renamed)}"] * bool(renamed) + [f"add {', '.join(added)}"] * bool(added)
    if "split" in missing and not others["split"]:
        steps[-1] += (
            ", give each split a file of its own (train, query, gallery), or let reid-gl make-split divide "
            "the identities"
        )
    return " and ".join(steps)


def _describe(title: str, wanted: Sequence[str]) -> str:
    meant = _meant(title)
    return repr(title) if meant is None or meant in wanted else f"{title!r} (should it be {meant!r}?)"


def _meant(title: str) -> str | None:
    """Return the column that a title may stand for."""
    plain = title.lower().replace(" ", "_").replace("-", "_")
    named = (column for column, others in OTHER_NAMES.items() if plain in others)
    return next(named, None) or next(
        iter(difflib.get_close_matches(plain, TABLE_COLUMNS, n=1, cutoff=0.7)), None
    )
