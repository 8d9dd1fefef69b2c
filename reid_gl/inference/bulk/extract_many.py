"""Features of very many pictures, in pieces on the disk: what is done stays done."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from reid_gl.data.loading.images import Image8, read_image
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.video import VideoReader
from reid_gl.inference.extractor.crops import cut_boxes
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

logger = logging.getLogger(__name__)

PART_ROWS = 1024
PLAN_FILE = "plan.json"
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class FeatureParts:
    """Features of all rows of a list, on the disk.

    Attributes:
        folder: where the parts lie.
        num_rows: M.
        embedding_dim: D.
        part_rows: rows of each part but the last.
    """

    folder: Path
    num_rows: int
    embedding_dim: int
    part_rows: int

    def __iter__(self) -> Iterator[tuple[Floats, Flags]]:
        """Part after part: features (rows, D), zeros where a box holds nothing, and which do (rows,)."""
        for start in range(0, self.num_rows, self.part_rows):
            yield read_part(part_path(self.folder, start))


def extract_in_parts(
    extractor: FeatureExtractor,
    crops: CropList,
    folder: Path,
    *,
    identity: dict[str, Any],
    batch_size: int = 64,
    part_rows: int = PART_ROWS,
    show_progress: bool = False,
) -> FeatureParts:
    """Compute features in parts, each of which appears whole; parts that are there already are kept.

    Args:
        extractor: what computes; the colour order of arrays does not matter here.
        crops: what of.
        folder: of the parts; made where it is missing.
        identity: plain values that make features what they are, such as file and settings of the network.
        batch_size: rows between two steps of the bar.
        part_rows: rows lost at most when the program is killed.
        show_progress: draw a bar with an estimate of the time left.

    Returns:
        The parts, all there.

    Raises:
        ValueError: the folder belongs to another list or network; a picture, video or feature is broken.
        FileNotFoundError: a picture is missing.
    """
    plan = {
        "rows": len(crops),
        "part_rows": part_rows,
        "embedding_dim": extractor.embedding_dim,
        "list": _digest(crops),
        "network": json.loads(json.dumps(identity)),
    }
    _claim_folder(folder, plan)
    parts = FeatureParts(folder, len(crops), extractor.embedding_dim, part_rows)
    starts = range(0, len(crops), part_rows)
    wanted = [start for start in starts if not part_path(folder, start).is_file()]
    done = len(crops) - sum(min(part_rows, len(crops) - start) for start in wanted)
    if done:
        logger.info("going on after %s of %s features in %s", f"{done:,}", f"{len(crops):,}", folder)
    pictures = _Pictures(crops)
    disable = None if show_progress else True
    try:
        with tqdm(total=len(crops), initial=done, unit="crop", desc="features", disable=disable) as bar:
            for start in wanted:
                stop = min(start + part_rows, len(crops))
                _write_part(
                    part_path(folder, start), *_embed(extractor, pictures, start, stop, batch_size, bar)
                )
    finally:
        pictures.close()
    return parts


def part_path(folder: Path, start: int) -> Path:
    """The part that begins with a row."""
    return folder / f"{start:012d}.npz"


def read_part(path: Path) -> tuple[Floats, Flags]:
    """Features and flags of one part."""
    try:
        with np.load(path, allow_pickle=False) as part:
            return part["features"], part["valid"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is broken ({error}): delete it and start again, it is made anew") from None


class _Pictures:
    """The picture of each row, asked for in rising order; one is kept."""

    def __init__(self, crops: CropList) -> None:
        self.crops = crops
        self._video = VideoReader(crops.video) if crops.video else None
        self._key: str | int = ""
        self._picture: Image8 | None = None

    def cut(self, row: int) -> Image8 | None:
        """What a row means, RGB; None if the box holds nothing of the picture."""
        key = int(self.crops.columns["frames"][row]) if self._video else self.crops.paths[row]
        if key != self._key or self._picture is None:
            self._picture = self._video.read(int(key)) if self._video else read_image(str(key))
            self._key = key
        if self.crops.boxes is None:
            return self._picture
        return cut_boxes(self._picture, self.crops.boxes[row : row + 1])[0]

    def close(self) -> None:
        if self._video:
            self._video.close()


def _embed(
    extractor: FeatureExtractor,
    pictures: _Pictures,
    start: int,
    stop: int,
    batch_size: int,
    bar: Any,  # noqa: ANN401
) -> tuple[Floats, Flags]:
    """Features and flags of the rows from start to stop."""
    features = np.zeros((stop - start, extractor.embedding_dim), np.float32)
    valid = np.zeros(stop - start, dtype=bool)
    for first in range(start, stop, batch_size):
        rows = range(first, min(first + batch_size, stop))
        images = []
        for row in rows:
            crop = pictures.cut(row)
            valid[row - start] = crop is not None
            if crop is not None:  # small at once: a batch of whole frames would fill the memory
                images.append(Image.fromarray(extractor.preprocessing.resize(crop)))
        batch = slice(rows.start - start, rows.stop - start)
        features[batch][valid[batch]] = extractor(images)
        bar.update(len(rows))
    return features, valid


def _write_part(path: Path, features: Floats, valid: Flags) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, features=features, valid=valid)
    partial.replace(path)


def _claim_folder(folder: Path, plan: dict[str, Any]) -> None:
    """Take a folder for a plan, or go on with it if the plan is the same."""
    path = folder / PLAN_FILE
    if path.is_file():
        try:
            before = json.loads(path.read_text())
        except ValueError:
            before = {}
        changed = [name for name, value in plan.items() if before.get(name) != value]
        if changed:
            raise ValueError(
                f"{folder} holds the beginning of other work ({', '.join(changed)} differ): go on with the "
                "same pictures and network, or delete the folder"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(plan, indent=2))
    partial.replace(path)


def _digest(crops: CropList) -> str:
    """A short name of everything in the list; of a video also its size and time."""
    digest = hashlib.sha256("\n".join(crops.paths).encode())
    for name, column in {**crops.columns, "boxes": crops.boxes}.items():
        digest.update(f"{name} {column.shape} ".encode() + column.tobytes() if column is not None else b"")
    if crops.video:
        stat = crops.video.stat()
        digest.update(f"{crops.video.name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()
