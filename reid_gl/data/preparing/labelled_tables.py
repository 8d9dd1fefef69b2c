"""Read tables of labelled images of other projects, for make-split: titles differ, splits may be missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from reid_gl.data.datasets.own.own_data import LabelledImage
from reid_gl.data.datasets.own.table_cells import check_identity, read_label, set_labels
from reid_gl.data.datasets.own.table_columns import GROUP_COLUMNS, OTHER_NAMES
from reid_gl.data.datasets.own.table_files import read_rows, read_titles
from reid_gl.data.datasets.reading.folders import require_files
from reid_gl.data.datasets.reading.image_lists import place_inside

logger = logging.getLogger(__name__)

COLUMNS = ("path", "pid", "camid", "split", "tracklet", "clothes", "date")
REQUIRED = COLUMNS[:2]


def read_labelled_table(
    table: Path,
    *,
    columns: Mapping[str, str],
    image_folder: Path | None = None,
    leave_out: Sequence[str] = (),
) -> list[LabelledImage]:
    """Read the images of a table that need not be divided yet, without opening them.

    Args:
        table: file with one of ALL_SUFFIXES.
        columns: titles of the table for names of COLUMNS. Others are found by their usual titles, such as
            Image and Id, and logged.
        image_folder: folder that paths are relative to; None for the folder of the table.
        leave_out: identities that name nobody, such as new_whale; their images are left out.

    Returns:
        Images in the order of the table; the split is the table's own word, "" if it has none.

    Raises:
        FileNotFoundError: there is no such file, or images that it lists do not exist.
        ValueError: a column is missing or could be several, a row has no identity, or no image is left.
    """
    titles = read_titles(table)
    sources = _choose(titles, table, columns)
    folder = image_folder or table.parent
    images: list[LabelledImage] = []
    labels: dict[str, list[str]] = {title: [] for title in GROUP_COLUMNS if title in sources}
    for place, found in read_rows(table, titles, list(sources.values())):
        cells = {title: found[source] for title, source in sources.items()}
        if cells["pid"] in leave_out:
            continue
        where = f"{place} of {table}"
        check_identity(cells["pid"], where)
        path = place_inside(folder, cells["path"], where)
        images.append(LabelledImage(path, cells["pid"], cells.get("split", "").lower()))
        for title, column in labels.items():
            column.append(read_label(cells, title, where))
    if not images:
        raise ValueError(f"{table} lists no image{' but those to leave out' if leave_out else ''}")
    require_files([image.path for image in images], f"{table} (as paths from {folder})")
    return set_labels(images, labels)


def _choose(titles: Sequence[str], table: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Return the table's title for each of COLUMNS that it has."""
    unknown = [
        f"{name}={title}" for name, title in columns.items() if name not in COLUMNS or title not in titles
    ]
    if unknown:
        raise ValueError(
            f"{table} has no such column: {', '.join(unknown)}; expected one of {', '.join(COLUMNS)} = one "
            f"of {', '.join(titles)}"
        )
    sources: dict[str, str] = {}
    for name in COLUMNS:
        usual = [title for title in titles if title.lower() in OTHER_NAMES[name]]
        candidates = [columns[name]] if name in columns else [name] if name in titles else usual
        if len(candidates) > 1:
            raise ValueError(
                f"{name} could be {' or '.join(candidates)} in {table}: say which, such as "
                f"--columns {name}={candidates[0]}"
            )
        if candidates:
            sources[name] = candidates[0]
    missing = [name for name in REQUIRED if name not in sources]
    if missing:
        raise ValueError(
            f"{table} has no column for {' and '.join(missing)} among {', '.join(titles)}: say which it is, "
            f"such as --columns {missing[0]}={titles[0]}"
        )
    logger.info("%s: %s", table, ", ".join(f"{title} is {name}" for name, title in sources.items()))
    return sources
