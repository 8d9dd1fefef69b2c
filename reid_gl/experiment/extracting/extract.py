"""Write features of a folder, a list, a video or a sequence to a file in the requested format."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.files import whole_or_nothing
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.extract_many import FeatureParts, extract_in_parts, remove_parts
from reid_gl.inference.bulk.feature_tables import import_pyarrow, write_npz, write_parquet
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.tracking import write_boxmot_cache, write_deep_sort_file

logger = logging.getLogger(__name__)

SUFFIXES = {"npz": ".npz", "parquet": ".parquet", "deep_sort": ".npy", "boxmot": ""}
"""Suffix of the output in each format; BoxMOT's cache is a folder."""
WRITERS = {"npz": write_npz, "parquet": write_parquet}
"""Suffixes of the formats that are tables; the other formats are for trackers."""


def choose_format(output: Path) -> str:
    """Return the format that the output's suffix stands for.

    Raises:
        ValueError: the suffix belongs to no format.
    """
    for form, suffix in SUFFIXES.items():
        if output.suffix == suffix:
            return form
    raise ValueError(
        f"cannot write {output}: expected .npz, .parquet, .npy for deep_sort, or a folder for BoxMOT"
    )


def extract_to_file(
    crops: CropList,
    output: Path,
    make_extractor: Callable[[], FeatureExtractor],
    *,
    identity: dict[str, Any],
    reid_name: str,
    batch_size: int,
    on_error: str = "stop",
    show_progress: bool = False,
) -> dict[str, Any]:
    """Compute features and write them; calling it again after an interruption resumes it.

    Rows that are skipped are not in the output; `<output>.rejects.csv` lists them with the reasons.

    Args:
        crops: the images, boxes or frames to compute features of.
        output: a file that does not exist yet, or, for BoxMOT, a folder without this sequence.
        make_extractor: makes the extractor; called after all other checks.
        identity: plain values that the features depend on, such as weights and settings.
        reid_name: name of the network in BoxMOT's cache.
        batch_size: images per batch.
        on_error: "stop" at an image that cannot be read, or "skip" it.
        show_progress: draw a progress bar with the estimated time left.

    Returns:
        A summary of what was written, as plain values.

    Raises:
        FileExistsError: the output or the file of rejects exists already.
        ValueError: the format needs boxes and the images have none, or it takes only names in UTF-8; also as
            extract_in_parts.
        ImportError: Parquet without pyarrow.
    """
    form = choose_format(output)
    place = output / crops.name if form == "boxmot" else output
    folder, rejects = (place.with_name(f"{place.name}.{what}") for what in ("parts", "rejects.csv"))
    _check_output(form, crops, output, [*_files(form, crops, output, reid_name), rejects])
    extractor = make_extractor()
    parts = extract_in_parts(
        extractor,
        crops,
        folder,
        identity=identity,
        batch_size=batch_size,
        on_error=on_error,
        show_progress=show_progress,
    )
    kept = crops.select(np.array([row not in parts.rejected for row in range(len(crops))]))
    if form in WRITERS:
        WRITERS[form](output, kept, parts)
    else:
        _write_for_tracker(form, kept, parts, output, extractor.embed_black(), reid_name)
    if parts.rejected:
        write_rejects(rejects, crops, parts.rejected)
    summary = _summarise(parts, rejects)
    remove_parts(parts)
    return {"output": str(output), "format": form, **summary}


def _summarise(parts: FeatureParts, rejects: Path) -> dict[str, Any]:
    """Return what the parts hold, as plain values, and where the skipped rows are listed."""
    return {
        "rows": len(parts),
        "embedding_dim": parts.embedding_dim,
        "boxes_outside": _count_invalid(parts),
        "rejected": len(parts.rejected),
        "rejects_file": str(rejects) if parts.rejected else None,
    }


def _check_output(form: str, crops: CropList, output: Path, files: list[Path]) -> None:
    """Check before the work that the files can be written; see extract_to_file for the errors."""
    for path in files:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists: delete it, or choose another output")
    if form in ("deep_sort", "boxmot") and (crops.boxes is None or "frames" not in crops.columns):
        raise ValueError(f"{output}: this format is for boxes of frames, {crops.name} has none; write .npz")
    if form == "parquet":
        import_pyarrow()
        crops.check_unicode("Parquet")


def _count_invalid(parts: FeatureParts) -> int:
    """Count the boxes that contain no pixel of their image, with a warning if there are any."""
    count = sum(int((~valid).sum()) for _, valid in parts)
    if count:
        logger.warning("%s of %s boxes contain no pixel of their image", f"{count:,}", f"{len(parts):,}")
    return count


def write_rejects(path: Path, crops: CropList, rejected: Mapping[int, str]) -> None:
    """Write a line for each row without a feature: its number from 0, image or video, frame and reason."""
    logger.warning("%s of %s rows are skipped, see %s", f"{len(rejected):,}", f"{len(crops):,}", path)
    # file names that are not UTF-8 become visible escapes, not errors
    text: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
    with whole_or_nothing(path) as partial, partial.open("w", **text) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "path", "frame", "reason"))
        for row, reason in sorted(rejected.items()):
            frame = crops.columns["frames"][row] if "frames" in crops.columns else ""
            writer.writerow((row, crops.video or crops.paths[row], frame, reason))


def _files(form: str, crops: CropList, output: Path, reid_name: str) -> list[Path]:
    """Return a summary of what will be written."""
    if form != "boxmot":
        return [output]
    return [output / place / f"{crops.name}.txt" for place in ("dets", f"embs/{reid_name}")]


def _write_for_tracker(
    form: str,
    crops: CropList,
    parts: FeatureParts,
    output: Path,
    black: NDArray[np.float32],
    reid_name: str,
) -> None:
    """Make rows for trackers, which accept no feature of zeros: an empty box gets that of a black image."""
    features = np.concatenate([np.where(valid[:, None], part, black) for part, valid in parts])
    corners, frames = crops.boxes, crops.columns["frames"]
    assert corners is not None
    confidences = crops.columns.get("confidences", np.ones(len(crops)))
    if form == "boxmot":
        rows = np.column_stack([frames, corners, confidences, np.zeros(len(crops))])  # class 0, a person
        source = str(crops.video or Path(crops.paths[0]).parent)
        write_boxmot_cache(output, crops.name, rows, features, reid_name=reid_name, source=source)
        return
    # as in det.txt, which counts pixels from 1
    places, sizes = corners[:, :2] + 1, corners[:, 2:] - corners[:, :2]
    write_deep_sort_file(
        output, np.column_stack([frames, np.full(len(crops), -1.0), places, sizes, confidences]), features
    )
