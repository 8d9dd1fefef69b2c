"""Write a data set as a table, or in the folders and file names of Market-1501."""

from __future__ import annotations

import csv
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path, PurePath

import cv2

from reid_gl.data.datasets.own.own_data import SPLITS, is_within
from reid_gl.data.datasets.own.table_columns import BOX_COLUMNS
from reid_gl.data.datasets.reading.folders import require_files
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS
from reid_gl.data.loading.images import Image8, crop_box, read_image
from reid_gl.data.mot.to_reid import JPEG_QUALITY
from reid_gl.files import finished_or_nothing, make_folder, whole_or_nothing
from reid_gl.records import ReidDataset, Sample

logger = logging.getLogger(__name__)

KNOWN_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Suffixes that other programs read as images in Market-1501's layout."""
OPTIONAL = ("tracklet", "clothes", "date")
"""Columns that a table only has if an image has such a number."""


def write_csv(dataset: ReidDataset, path: str | Path) -> None:
    """Write a data set as a table that load_table reads; the images stay where they are.

    Args:
        dataset: any data set; its name and ks are not stored.
        path: .csv file in a folder that contains all images. It appears only when it is complete.

    Raises:
        FileExistsError: the file exists.
        ValueError: the path does not end in .csv, an image lies outside the table's folder, or the data set
            has no images.
    """
    table = Path(path)
    if table.suffix.lower() != ".csv":
        raise ValueError(f"cannot write {table}: expected a name ending in .csv")
    if os.path.lexists(table):
        raise FileExistsError(f"{table} exists: choose another name or remove it")
    rows = [(split, sample) for split, part in _parts(dataset) for sample in part]
    if not rows:
        raise ValueError(f"{dataset.name} has no image to list in {table}")
    relative = _make_shortener(table)
    boxes = BOX_COLUMNS if any(sample.box for _, sample in rows) else ()
    groups = tuple(title for title in OPTIONAL if any(getattr(sample, title) >= 0 for _, sample in rows))
    lines: list[tuple[object, ...]] = [("path", "pid", "camid", "split", *boxes, *groups)]
    for split, sample in rows:
        box = (sample.box or ("",) * len(boxes)) if boxes else ()
        numbers = [_or_empty(getattr(sample, title)) for title in groups]
        lines.append((relative(sample.path), sample.pid, _or_empty(sample.camid), split, *box, *numbers))
    make_folder(table.parent)
    with whole_or_nothing(table) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def write_market_layout(
    dataset: ReidDataset, folder: str | Path, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a data set in the three folders of Market-1501.

    Whole images become hard links or copies; boxes are cropped and encoded again. An image is named
    {identity}_c{camera, from 1}s1_{running number}_00 and keeps its suffix; formats that the layout does not
    know (.bmp …) become .png. Market-1501 has no unknown cameras, so all unknown cameras become one
    additional camera. It has no tracks either, so they are lost.

    Args:
        dataset: a data set with a training set, queries and a gallery.
        folder: folder to create; it appears complete or not at all.
        progress: called with (images done, total images).

    Raises:
        FileExistsError: the folder exists.
        FileNotFoundError: an image does not exist.
        ValueError: a split has no images, or an image or box cannot be read.
    """
    out = Path(folder)
    if out.exists():
        raise FileExistsError(f"{out} exists: choose another folder or remove this one")
    empty = [split for split, part in _parts(dataset) if not part]
    if empty:
        raise ValueError(
            f"{dataset.name} has no images for {' and '.join(empty)}, but the layout of Market-1501 needs "
            "them: write a .csv file instead"
        )
    samples = [sample for _, part in _parts(dataset) for sample in part]
    require_files([sample.path for sample in samples], f"the data set {dataset.name}")
    for sample in samples:
        if not os.path.isfile(sample.path):
            raise ValueError(f"image {sample.path} is a pipe, socket, device or folder: remove it")
    unknown = _number_unknown_camera(samples)
    read = lru_cache(maxsize=1)(read_image)  # the boxes of an image are consecutive samples
    number = 0
    with finished_or_nothing(out) as unfinished:
        for part, (_, own) in zip(MARKET_FOLDERS, _parts(dataset), strict=True):
            (unfinished / part).mkdir()
            for sample in own:
                number += 1
                camera = unknown if sample.camid < 0 else sample.camid + 1
                name = f"{sample.pid:04d}_c{camera}s1_{number:06d}_00"
                _write_image(sample, unfinished / part / name, read)
                if progress is not None:
                    progress(number, len(samples))


def _parts(dataset: ReidDataset) -> list[tuple[str, tuple[Sample, ...]]]:
    return list(zip(SPLITS, (dataset.train, dataset.query, dataset.gallery), strict=True))


def _or_empty(number: int) -> int | str:
    """Return a number >= 0 unchanged, and "" for an unknown (negative) one."""
    return number if number >= 0 else ""


def _make_shortener(table: Path) -> Callable[[str], str]:
    """Return a function that converts the path of an image to the relative path written in a table."""
    folder, real_folder = os.path.abspath(table.parent), os.path.realpath(table.parent)

    def shorten(path: str) -> str:
        absolute, real = os.path.abspath(path), os.path.realpath(path)
        if not is_within(real, real_folder):
            raise ValueError(
                f"image {path} does not lie below {table.parent}, but paths in a table must stay below its "
                "folder: write the table into a folder that contains all images"
            )
        inside = is_within(absolute, folder)
        printed = os.path.relpath(absolute, folder) if inside else os.path.relpath(real, real_folder)
        if printed != printed.strip() or not _is_text(printed):
            raise ValueError(f"image {path!r} begins or ends with a space, or is not UTF-8: rename it")
        return PurePath(printed).as_posix()

    return shorten


def _is_text(name: str) -> bool:
    """Whether a file name can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number_unknown_camera(samples: Sequence[Sample]) -> int:
    """Return the number, from 1, for unknown cameras, and warn about what the layout cannot express."""
    unknown = sum(sample.camid < 0 for sample in samples)
    camera = max(sample.camid for sample in samples) + 2
    if unknown:
        logger.warning(
            "%d of %d images have no camera, but file names of Market-1501 need one: they become camera %d",
            *(unknown, len(samples), camera),
        )
    if any(sample.tracklet >= 0 for sample in samples):
        logger.warning("the layout of Market-1501 has no tracks: they are lost; a .csv file keeps them")
    return camera


def _write_image(sample: Sample, stem: Path, read: Callable[[str], Image8]) -> None:
    """Link, copy or crop one image."""
    suffix = os.path.splitext(sample.path)[1]
    is_known = suffix.lower() in KNOWN_SUFFIXES
    target = stem.with_name(stem.name + (suffix if is_known else ".png"))
    if sample.box is None and is_known:
        _link_or_copy(os.path.realpath(sample.path), target)
        return
    image = read(sample.path)
    if sample.box is not None:
        image = crop_box(image, sample.box, name=sample.path)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(target.suffix, pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    target.write_bytes(encoded.tobytes())


def _link_or_copy(source: str, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
