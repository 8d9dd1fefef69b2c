"""Features of a folder or a list as Parquet parts, which several workers compute."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from reid_gl.experiment.extracting.extract import write_rejects
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.feature_tables import import_pyarrow
from reid_gl.inference.bulk.parquet_parts import (
    PLAN_FILE,
    Part,
    PartRecord,
    PartWriter,
    part_path,
    read_record,
    remove_unfinished,
)
from reid_gl.inference.bulk.part_plans import (
    PART_ROWS,
    check_any_readable,
    check_on_error,
    claim_folder,
    log_resumed,
    part_ranges,
    same_parts,
)
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

logger = logging.getLogger(__name__)

REJECTS_FILE = "_rejects.csv"
Engine: TypeAlias = "Callable[[Sequence[Part], PartWriter], Generator[tuple[int, str], None, None]]"


def extract_to_folder(
    crops: CropList,
    folder: Path,
    make_extractor: Callable[[], FeatureExtractor],
    engine: Engine,
    *,
    identity: dict[str, Any],
    batch_size: int,
    part_rows: int = PART_ROWS,
    on_error: str = "stop",
    show_progress: bool = False,
) -> dict[str, Any]:
    """Compute features in Parquet parts; called again, it computes the parts that are missing.

    The parts have the columns of write_parquet, with absolute paths, and together the order of the list. Rows
    that are skipped are not in the parts; `_rejects.csv` in the folder says which they are, and why.

    Args:
        crops: the images; not the frames of a video.
        folder: a new folder, or one of the same list and network.
        make_extractor: called by each worker.
        engine: gets the parts to write and a writer, and yields the first row of each part that was
            attempted, with "" or the reason why it failed.
        identity: plain values that determine the features.
        batch_size: number of images per batch.
        part_rows: number of rows per part.
        on_error: "stop" at an image that cannot be read, or "skip" it.
        show_progress: show a progress bar with the estimated time left.

    Returns:
        What the folder contains, as plain values.

    Raises:
        ValueError: a video; names that are not UTF-8; a folder of another list or network; or a part that
            cannot be computed.
        FileExistsError: the folder holds other files.
        ImportError: pyarrow is not installed.
    """
    _check(crops, on_error)
    crops, folder, skip = crops.with_absolute_paths(), folder.absolute(), on_error == "skip"
    claim_folder(folder, PLAN_FILE, {"rows": len(crops), "part_rows": part_rows, "network": identity})
    ranges = part_ranges(len(crops), part_rows)
    records = _finished_parts(crops, folder, ranges, skip=skip)
    done = sum(len(ranges[start]) for start in records)
    log_resumed(folder, done, len(crops))
    missing = [
        Part(start, crops.rows(rows.start, rows.stop))
        for start, rows in ranges.items()
        if start not in records
    ]
    writer = PartWriter(make_extractor, folder, batch_size=batch_size, skip=skip)
    disable = None if show_progress else True
    with tqdm(total=len(crops), initial=done, unit="crop", desc="features", disable=disable) as bar:
        for start in _write(missing, writer, engine):
            records[start] = _read_written(folder, start)
            bar.update(len(ranges[start]))
    remove_unfinished(folder)
    return _summarise(crops, folder, records)


def _check(crops: CropList, on_error: str) -> None:
    """Check what does not need the folder; for the errors see extract_to_folder."""
    check_on_error(on_error)
    if crops.video is not None:
        raise ValueError(f"{crops.video} is decoded in order by one process: use --engine local for a video")
    import_pyarrow()
    crops.check_unicode("Parquet")


def _write(parts: Sequence[Part], writer: PartWriter, engine: Engine) -> Generator[int, None, None]:
    """Yield the first row of each written part; stop at the first part that cannot be written."""
    if not parts:
        return
    with contextlib.closing(engine(parts, writer)) as attempts:
        for start, error in attempts:
            if error:
                raise ValueError(error)
            yield start


def _finished_parts(
    crops: CropList, folder: Path, ranges: Mapping[int, range], *, skip: bool
) -> dict[int, PartRecord]:
    """Map the first row of each part that can be kept to its record."""
    paths = {start: part_path(folder, start) for start in ranges}
    records = {start: read_record(path) for start, path in paths.items() if path.is_file()}
    same = same_parts(crops, folder, ranges, {start: record.digest for start, record in records.items()})
    return {start: records[start] for start in same if skip or not records[start].rejected}


def _read_written(folder: Path, start: int) -> PartRecord:
    record = read_record(part_path(folder, start))
    if not record.digest:
        raise ValueError(
            f"a worker wrote {part_path(folder, start)}, but it cannot be read here: choose an output on a "
            "file system that all hosts of the cluster share, and run again"
        )
    return record


def _summarise(crops: CropList, folder: Path, records: Mapping[int, PartRecord]) -> dict[str, Any]:
    rejected = {
        start + place: reason
        for start, record in records.items()
        for place, reason in record.rejected.items()
    }
    check_any_readable(crops, rejected)
    rejects = folder / REJECTS_FILE
    rejects.unlink(missing_ok=True)
    if rejected:
        write_rejects(rejects, crops, rejected)
    num_outside = sum(record.num_outside for record in records.values())
    num_rows = len(crops) - len(rejected)
    if num_outside:
        logger.warning("%s of %s boxes hold nothing of their image", f"{num_outside:,}", f"{num_rows:,}")
    return {
        "output": str(folder),
        "format": "parquet parts",
        "parts": len(records),
        "rows": num_rows,
        "embedding_dim": max(record.embedding_dim for record in records.values()),
        "boxes_outside": num_outside,
        "rejected": len(rejected),
        "rejects_file": str(rejects) if rejected else None,
    }
