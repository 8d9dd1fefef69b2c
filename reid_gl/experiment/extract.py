"""Features of a folder, a list, a video or a sequence in the file that somebody needs."""

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
"""Of the output in each format; BoxMOT's cache is a folder."""
WRITERS = {"npz": write_npz, "parquet": write_parquet}
"""Of the formats that are tables; the others are for trackers."""


def choose_format(output: Path) -> str:
    """The format that an output's suffix stands for.

    Raises:
        ValueError: none does.
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
    """Compute features and write them; called again after an interruption, it goes on.

    Rows that are skipped are not in the output; `<output>.rejects.csv` says which they are, and why.

    Args:
        crops: what of.
        output: a file that does not exist yet, or, for BoxMOT, a folder without this sequence.
        make_extractor: called when nothing else can go wrong any more.
        identity: plain values that make features what they are.
        reid_name: what BoxMOT's cache calls the network.
        batch_size: images at once.
        on_error: "stop" at an image that cannot be read, or "skip" it.
        show_progress: draw a bar with an estimate of the time left.

    Returns:
        What was written, as plain values.

    Raises:
        FileExistsError: the output, or a file of rejects, is there already.
        ValueError: a format that needs boxes, of images without; what extract_in_parts refuses.
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
    kept = np.array([row not in parts.rejected for row in range(len(crops))])
    everything, crops = crops, crops.select(kept)
    if form in WRITERS:
        WRITERS[form](output, crops, parts)
    else:
        _write_for_tracker(form, crops, parts, output, extractor.embed_black(), reid_name)
    if parts.rejected:
        write_rejects(rejects, everything, parts.rejected)
    num_invalid = _count_invalid(parts)
    remove_parts(parts)
    return {
        "output": str(output),
        "format": form,
        "rows": len(crops),
        "embedding_dim": parts.embedding_dim,
        "boxes_outside": num_invalid,
        "rejected": len(parts.rejected),
        "rejects_file": str(rejects) if parts.rejected else None,
    }


def _check_output(form: str, crops: CropList, output: Path, files: list[Path]) -> None:
    """Find out before the work that these files cannot be written; see extract_to_file for the errors."""
    for path in files:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists: delete it, or choose another output")
    if form in ("deep_sort", "boxmot") and (crops.boxes is None or "frames" not in crops.columns):
        raise ValueError(f"{output}: this format is for boxes of frames, {crops.name} has none; write .npz")
    if form == "parquet":
        import_pyarrow()


def _count_invalid(parts: FeatureParts) -> int:
    """Count the boxes that hold nothing of their image, with a warning if there are any."""
    count = sum(int((~valid).sum()) for _, valid in parts)
    if count:
        logger.warning("%s of %s boxes hold nothing of their image", f"{count:,}", f"{len(parts):,}")
    return count


def write_rejects(path: Path, crops: CropList, rejected: Mapping[int, str]) -> None:
    """A line for each row without a feature: its number from 0, image or video, frame and the reason."""
    logger.warning("%s of %s rows are skipped, see %s", f"{len(rejected):,}", f"{len(crops):,}", path)
    with whole_or_nothing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "path", "frame", "reason"))
        for row, reason in sorted(rejected.items()):
            frame = crops.columns["frames"][row] if "frames" in crops.columns else ""
            writer.writerow((row, crops.video or crops.paths[row], frame, reason))


def _files(form: str, crops: CropList, output: Path, reid_name: str) -> list[Path]:
    """What will be written."""
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
    """Formats of trackers, which take no feature of zeros: a box outside has that of a black image."""
    features = np.concatenate([np.where(valid[:, None], part, black) for part, valid in parts])
    corners, frames = crops.boxes, crops.columns["frames"]
    assert corners is not None
    confidences = crops.columns.get("confidences", np.ones(len(crops)))
    if form == "boxmot":
        rows = np.column_stack([frames, corners, confidences, np.zeros(len(crops))])  # class 0, a person
        source = str(crops.video or Path(crops.paths[0]).parent)
        write_boxmot_cache(output, crops.name, rows, features, reid_name=reid_name, source=source)
        return
    # as in det.txt, where pixels are counted from 1
    places, sizes = corners[:, :2] + 1, corners[:, 2:] - corners[:, :2]
    write_deep_sort_file(
        output, np.column_stack([frames, np.full(len(crops), -1.0), places, sizes, confidences]), features
    )
