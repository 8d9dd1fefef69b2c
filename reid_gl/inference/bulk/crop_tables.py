"""Read tables of crops to extract: paths, boxes and further columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.datasets.own.own_data import LabelledImage, as_samples, whole_number
from reid_gl.data.datasets.own.table_cells import (
    check_identity,
    number_labels,
    parse_split,
    read_label,
    with_slashes,
)
from reid_gl.data.datasets.own.table_columns import (
    BOX_COLUMNS,
    COLUMNS,
    GROUP_COLUMNS,
    ROLE_COLUMNS,
    choose_columns,
)
from reid_gl.data.datasets.own.table_files import read_rows, read_titles
from reid_gl.inference.extractor.crops import as_corners

CROP_COLUMNS = (*(title for title in COLUMNS if title not in ROLE_COLUMNS), "clothes", "date", "frame")


def plural(title: str) -> str:
    """Return the name of a table's column among those of all rows, such as "pids"."""
    return title if title == "clothes" else f"{title}s"


def singular(name: str) -> str:
    """Return the title that a name of `plural` stands for."""
    return name if name == "clothes" else name.removesuffix("s")


def read_crop_table(
    table: Path,
) -> tuple[tuple[str, ...], dict[str, NDArray[Any]], NDArray[np.float64] | None]:
    """Read a table of crops; no image is opened.

    Args:
        table: .csv, .tsv or .parquet file with the column path, absolute or relative to the table's folder,
            and optionally the other columns of CROP_COLUMNS. Further columns are ignored, with a log
            message. Identities and cameras are numbered in the same way as by
            load_table.

    Returns:
        Paths (M,); columns (M,) by name in the plural; boxes (M, 4), NaN in rows without a box, or None if
        no row has a box.

    Raises:
        ValueError: the table is invalid; the message names the line and the column.
        ImportError: the table is a Parquet file and pyarrow is not installed.
    """
    titles = read_titles(table)
    wanted = choose_columns(titles, table, required=("path",), known=CROP_COLUMNS)
    root = os.fspath(table.parent)
    paths: list[str] = []
    boxes: list[Sequence[float]] = []
    values: dict[str, list[Any]] = {title: [] for title in wanted if title not in ("path", *BOX_COLUMNS)}
    for line, cells in read_rows(table, titles, wanted):
        place = f"{line} of {table}"
        if not cells["path"]:
            raise ValueError(f"{place}: path is empty: expected an image file")
        paths.append(os.path.join(root, with_slashes(cells["path"], root)))
        boxes.append(_parse_box(cells, place))
        for title, column in values.items():
            column.append(_parse_cell(cells, title, place))
    for title in values.keys() & GROUP_COLUMNS.keys():
        values[title] = number_labels(values[title], kind=GROUP_COLUMNS[title])
    columns: dict[str, NDArray[Any]] = {
        plural(title): np.array(column, dtype=np.str_ if title == "split" else np.int64)
        for title, column in values.items()
        if title != "pid"
    }
    if "pid" in values:
        images = [LabelledImage(*labelled) for labelled in zip(paths, values["pid"], strict=True)]
        columns["pids"] = np.array([sample.pid for sample in as_samples(images)], dtype=np.int64)
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    if np.isnan(corners).all():
        return tuple(paths), columns, None
    as_corners(corners[~np.isnan(corners).any(axis=1)], "xyxy")  # refuses fractions of the image
    return tuple(paths), columns, corners


def _parse_cell(cells: dict[str, str], title: str, place: str) -> int | str:
    text = cells[title]
    if title == "pid":
        check_identity(text, place)
        return text
    if title == "split":
        return parse_split(text, place)
    if title != "frame":
        return read_label(cells, title, place)
    frame = whole_number(text)
    if frame is None:
        raise ValueError(f"{place}: frame must be a whole number, got {text!r}")
    return frame


def _parse_box(cells: dict[str, str], place: str) -> list[float]:
    texts = [cells.get(title, "") for title in BOX_COLUMNS]
    if not any(texts):
        return [np.nan] * 4
    try:
        box = [float(text) for text in texts]
    except ValueError:
        box = [np.nan]
    if not np.isfinite(box).all():
        raise ValueError(
            f"{place}: x1, y1, x2, y2 must be four numbers in pixels, or empty for the whole image, got "
            f"{','.join(texts)}"
        )
    return box
