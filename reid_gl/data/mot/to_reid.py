"""Crop people from MOT Challenge sequences into a set in the layout of Market-1501."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS
from reid_gl.data.mot.crops import Crop, CropRule, plan_crops
from reid_gl.data.mot.read import MotSequence, read_frame, require_frames
from reid_gl.files import finished_or_nothing

CROPS_FILE = "crops.csv"
COLUMNS = (
    *("path", "pid", "camid", "sequence", "frame", "frame_x1", "frame_y1", "frame_x2", "frame_y2"),
    *("visibility", "split"),
)
SPLITS = dict(zip(MARKET_FOLDERS, ("train", "query", "gallery"), strict=True))
JPEG_QUALITY = 95


def write_reid_crops(
    sequences: Sequence[MotSequence],
    out: str | Path,
    rule: CropRule,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Write the crops and crops.csv, which lists the origin of each crop; camid counts from 0.

    Args:
        sequences: the first is camera 1, the second camera 2, and so on.
        out: folder to create; it appears only when it is complete.
        rule: what to crop.
        progress: called with (frames done, total frames).

    Returns:
        Number of images by split, "identities", and "queries_with_match": queries with an image of the same
        person by another camera in the gallery. Only these count in the protocol of Market-1501.

    Raises:
        FileExistsError: out exists.
        FileNotFoundError: ground truth or images are missing.
        ValueError: ground truth or images are broken, or nothing is left.
    """
    if Path(out).exists():
        raise FileExistsError(f"{out} exists: choose another folder or remove this one")
    for sequence in sequences:
        require_frames(sequence)
    crops = plan_crops(sequences, rule)
    by_frame: dict[tuple[int, int], list[Crop]] = defaultdict(list)
    for crop in crops:
        by_frame[crop.camera, crop.frame].append(crop)
    with finished_or_nothing(Path(out)) as folder:
        for part in MARKET_FOLDERS:
            (folder / part).mkdir()
        for done, ((camera, frame), wanted) in enumerate(by_frame.items(), start=1):
            _cut_frame(folder, sequences[camera - 1], frame, wanted)
            if progress is not None:
                progress(done, len(by_frame))
        _write_table(folder / CROPS_FILE, crops)
    return _count(crops)


def _cut_frame(folder: Path, sequence: MotSequence, frame: int, crops: list[Crop]) -> None:
    """Open one frame and save its crops."""
    image = read_frame(sequence, frame)
    for crop in crops:
        x1, y1, x2, y2 = crop.corners
        encoded = cv2.imencode(".jpg", image[y1:y2, x1:x2], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        (folder / crop.path).write_bytes(encoded.tobytes())


def _write_table(path: Path, crops: list[Crop]) -> None:
    """Write one line per crop."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for crop in crops:
            place = (crop.path, crop.pid, crop.camera - 1, crop.sequence, crop.frame, *crop.corners)
            writer.writerow((*place, f"{crop.visibility:.4f}", SPLITS[crop.part]))


def _count(crops: list[Crop]) -> dict[str, int]:
    """Count the crops of each kind."""
    counts = {name: sum(crop.part == part for crop in crops) for part, name in SPLITS.items()}
    cameras: dict[int, set[int]] = defaultdict(set)
    for crop in crops:
        if SPLITS[crop.part] == "gallery":
            cameras[crop.pid].add(crop.camera)
    queries = [crop for crop in crops if SPLITS[crop.part] == "query"]
    matched = sum(bool(cameras[crop.pid] - {crop.camera}) for crop in queries)
    return {**counts, "identities": len({crop.pid for crop in crops}), "queries_with_match": matched}
