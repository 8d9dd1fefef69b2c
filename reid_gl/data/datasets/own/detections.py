"""Reads the boxes that a detector found in the scenes of a person-search set."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path

from reid_gl.data.datasets.own.table_columns import choose_columns
from reid_gl.data.datasets.own.table_files import read_rows, read_titles
from reid_gl.data.datasets.reading.person_search import corners_of
from reid_gl.records import DISTRACTOR_PID, Sample
from reid_gl.untrusted.regular_file import quoted

logger = logging.getLogger(__name__)

COLUMNS = ("path", "x1", "y1", "x2", "y2", "score")
MIN_SCORE = 0.5
"""The usual smallest score of a box that counts."""


def read_detections(
    table: str | Path, cameras: Mapping[str, int], *, min_score: float = MIN_SCORE
) -> tuple[Sample, ...]:
    """Read the boxes of a detector; no image is opened.

    Args:
        table: CSV, TSV or Parquet file, or a list with titles, with COLUMNS; of a path, only the file name
            counts. Coordinates are pixels and may have fractions.
        cameras: the scenes, image files with different names, and the camera of each, -1 if unknown. Boxes of
            other images are left out, which a log line says.
        min_score: boxes with a lower score are left out.

    Returns:
        The boxes without an identity, rounded to whole pixels, in the order of the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the table is invalid, or no box is left.
    """
    path = Path(table).expanduser()
    titles = read_titles(path)
    choose_columns(titles, path, required=COLUMNS, known=COLUMNS)
    scenes = {re.split(r"[\\/]", scene)[-1]: scene for scene in cameras}
    found: list[Sample] = []
    num_low = num_elsewhere = 0
    for place, cells in read_rows(path, titles, COLUMNS):
        where = f"{place} of {path}"
        x1, y1, x2, y2, score = (_number(cells, title, where) for title in COLUMNS[1:])
        box = corners_of((x1, y1, x2 - x1, y2 - y1))
        if box is None:
            raise ValueError(
                f"{where} has an empty box {x1:g}, {y1:g}, {x2:g}, {y2:g}: expected x1 < x2 and y1 < y2, in "
                "pixels; write the lower right corner, not width and height"
            )
        scene = scenes.get(re.split(r"[\\/]", cells["path"])[-1])
        num_elsewhere += scene is None
        num_low += scene is not None and score < min_score
        if scene is not None and score >= min_score:
            found.append(Sample(scene, DISTRACTOR_PID, cameras[scene], box))
    counts = (
        f"{path}: {len(found):,} boxes, {num_low:,} with a score below {min_score:g}, {num_elsewhere:,} of "
        "images that are not searched"
    )
    if not found:
        raise ValueError(
            f"{counts}: expected boxes of images such as {next(iter(scenes), 'none')!r}; check the names in "
            "the column path, or lower DATA.MIN_DETECTION_SCORE"
        )
    logger.info("%s", counts)
    return tuple(found)


def _number(cells: Mapping[str, str], title: str, where: str) -> float:
    try:
        number = float(cells[title])
    except ValueError:
        number = math.nan
    if not abs(number) < 1e9:  # NaN, too
        raise ValueError(f"{where}: {title} must be a number, got {quoted(cells[title])}")
    return number
