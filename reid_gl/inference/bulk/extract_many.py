"""Features of very many images, in pieces on the disk: what is done stays done."""

from __future__ import annotations

import contextlib
import json
import logging
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from reid_gl.data.loading.images import Image8, UnreadableImageError, read_image
from reid_gl.files import partial_of, whole_or_nothing, write_text
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.row_digests import digest_rows
from reid_gl.inference.bulk.video import VideoEndsError, VideoReader
from reid_gl.inference.extractor.crops import cut_boxes
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

logger = logging.getLogger(__name__)

PART_ROWS = 1024
PLAN_FILE = "plan.json"
ON_ERROR = ("stop", "skip")
"""What to do about an image that cannot be read."""
UNREADABLE = (OSError, UnreadableImageError, VideoEndsError)
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]


@dataclass(frozen=True)
class FeatureParts:
    """Features of the rows of a list, on the disk.

    Attributes:
        folder: where the parts lie.
        num_rows: M of the list.
        embedding_dim: D.
        part_rows: rows of each part but the last, rejected ones included.
        rejected: why rows have no feature, by the number of the row from 0.
    """

    folder: Path
    num_rows: int
    embedding_dim: int
    part_rows: int
    rejected: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Rows with a feature, those whose box holds nothing included."""
        return self.num_rows - len(self.rejected)

    def __iter__(self) -> Iterator[tuple[Floats, Flags]]:
        """Part after part: features (rows, D), zeros where a box holds nothing, and which do (rows,).

        Rejected rows are left out.
        """
        for start in range(0, self.num_rows, self.part_rows):
            features, valid = read_part(part_path(self.folder, start))
            kept = np.array([start + row not in self.rejected for row in range(len(valid))], dtype=bool)
            if kept.any():
                yield features[kept], valid[kept]


def extract_in_parts(
    extractor: FeatureExtractor,
    crops: CropList,
    folder: Path,
    *,
    identity: dict[str, Any],
    batch_size: int = 64,
    part_rows: int = PART_ROWS,
    on_error: str = "stop",
    show_progress: bool = False,
) -> FeatureParts:
    """Compute features in parts, each of which appears whole.

    Parts that are there already are kept where the list still has the same images and boxes, and made
    again where it has others.

    Args:
        extractor: what computes; the colour order of arrays does not matter here.
        crops: what of.
        folder: of the parts; made where it is missing.
        identity: plain values that make features what they are, such as file and settings of the network.
        batch_size: rows between two steps of the bar.
        part_rows: rows lost at most when the program is killed.
        on_error: one of ON_ERROR; "skip" goes on without images that cannot be read, and says which.
        show_progress: draw a bar with an estimate of the time left.

    Returns:
        The parts, all there.

    Raises:
        ValueError: the folder belongs to another list or network; an image, video or feature is broken;
            nothing of the list can be read.
        FileExistsError: the folder holds files of somebody else.
        FileNotFoundError: an image is missing.
    """
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error must be one of {', '.join(ON_ERROR)}, got {on_error!r}")
    dim, network = extractor.embedding_dim, json.loads(json.dumps(identity))
    _claim_folder(folder, {"part_rows": part_rows, "embedding_dim": dim, "network": network})
    starts = range(0, len(crops), part_rows)
    ranges = {start: range(start, min(start + part_rows, len(crops))) for start in starts}
    finished = _finished_parts(crops, folder, ranges, skip=on_error == "skip")
    done = sum(len(ranges[start]) for start in finished)
    if done:
        logger.info("going on after %s of %s features in %s", f"{done:,}", f"{len(crops):,}", folder)
    rejected = dict(item for start, reasons in finished.items() for item in _rejected(start, reasons))
    pictures = _Pictures(crops, skip=on_error == "skip")
    disable = None if show_progress else True
    try:
        with tqdm(total=len(crops), initial=done, unit="crop", desc="features", disable=disable) as bar:
            for start, rows in ranges.items():
                if start not in finished:
                    digest = digest_rows(crops, rows.start, rows.stop)
                    arrays = _embed(extractor, pictures, rows, batch_size, bar)
                    _write_part(part_path(folder, start), *arrays, digest)
                    rejected.update(_rejected(start, arrays[2]))
    finally:
        pictures.close()
    if len(crops) and len(rejected) == len(crops):
        raise ValueError(f"none of the {len(crops):,} rows of {crops.name} can be read: {rejected[0]}")
    return FeatureParts(folder, len(crops), dim, part_rows, rejected)


def part_path(folder: Path, start: int) -> Path:
    """The part that begins with a row."""
    return folder / f"{start:012d}.npz"


def read_part(path: Path) -> tuple[Floats, Flags]:
    """Features and flags of one part."""
    try:
        with np.load(path, allow_pickle=False) as part:
            return part["features"], part["valid"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is broken ({error}): delete it and start again, it is made anew") from None


def remove_parts(parts: FeatureParts) -> None:
    """Delete the parts and their plan, and the folder if nothing else lies in it."""
    starts = range(0, parts.num_rows, parts.part_rows)
    for path in [*(part_path(parts.folder, start) for start in starts), parts.folder / PLAN_FILE]:
        path.unlink(missing_ok=True)
        partial_of(path).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody put something there
        parts.folder.rmdir()


class _Pictures:
    """The image of each row, asked for in rising order; one is kept."""

    def __init__(self, crops: CropList, *, skip: bool) -> None:
        self.crops = crops
        self._skip = skip
        self._video = VideoReader(crops.video) if crops.video else None
        self._key: str | int = ""
        self._picture: Image8 | None = None

    def try_cut(self, row: int) -> tuple[Image8 | None, str]:
        """As cut, and why there is no image, which is an error unless such rows are skipped."""
        try:
            return self.cut(row), ""
        except UNREADABLE as error:
            if not self._skip:
                raise
            return None, str(error)

    def cut(self, row: int) -> Image8 | None:
        """What a row means, RGB; None if the box holds nothing of the image."""
        key = int(self.crops.columns["frames"][row]) if self._video else self.crops.paths[row]
        if key != self._key or self._picture is None:
            self._picture = self._video.read(int(key)) if self._video else read_image(str(key))
            self._key = key
        if self.crops.boxes is None or np.isnan(self.crops.boxes[row]).all():
            return self._picture
        return cut_boxes(self._picture, self.crops.boxes[row : row + 1])[0]

    def close(self) -> None:
        if self._video:
            self._video.close()


def _embed(
    extractor: FeatureExtractor,
    pictures: _Pictures,
    part: range,
    batch_size: int,
    bar: Any,  # noqa: ANN401
) -> tuple[Floats, Flags, Texts]:
    """Features and flags of the rows of a part, and why rows are rejected, "" as a rule."""
    features = np.zeros((len(part), extractor.embedding_dim), np.float32)
    valid = np.zeros(len(part), dtype=bool)
    reasons = [""] * len(part)
    for first in range(0, len(part), batch_size):
        places = range(first, min(first + batch_size, len(part)))
        images = []
        for place in places:
            crop, reasons[place] = pictures.try_cut(part[place])
            valid[place] = crop is not None
            if crop is not None:  # small at once: a batch of whole frames would fill the memory
                images.append(Image.fromarray(extractor.preprocessing.resize(crop)))
        batch = slice(places.start, places.stop)
        features[batch][valid[batch]] = extractor(images)
        bar.update(len(places))
    return features, valid, np.array(reasons, dtype=np.str_)


def _write_part(path: Path, features: Floats, valid: Flags, reasons: Texts, digest: str) -> None:
    with whole_or_nothing(path) as partial, partial.open("wb") as file:
        np.savez(file, features=features, valid=valid, reasons=reasons, digest=np.array(digest))


def _finished_parts(
    crops: CropList, folder: Path, ranges: Mapping[int, range], *, skip: bool
) -> dict[int, Texts]:
    """The parts that need not be made again, by their first row, and why rows of them are rejected.

    Raises:
        ValueError: there are parts, and none of them is of the list.
    """
    present = [start for start in ranges if part_path(folder, start).is_file()]
    same: dict[int, Texts] = {}
    for start in present:
        digest, reasons = _read_origin(part_path(folder, start))
        if digest == digest_rows(crops, ranges[start].start, ranges[start].stop):
            same[start] = reasons
    if present and not same:
        raise _other_work(folder, ["list"])
    if len(same) < len(present):
        logger.warning(
            "%s: the list has changed: %d of %d finished parts are of the same images and are kept, the "
            "others are made again",
            *(folder, len(same), len(present)),
        )
    return {start: reasons for start, reasons in same.items() if skip or not reasons.astype(bool).any()}


def _read_origin(path: Path) -> tuple[str, Texts]:
    """What a part was made of, "" if it is broken, and why rows of it are rejected."""
    try:
        with np.load(path, allow_pickle=False) as part:
            return str(part["digest"]), part["reasons"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return "", np.zeros(0, np.str_)


def _rejected(start: int, reasons: Texts) -> list[tuple[int, str]]:
    return [(start + place, reason) for place, reason in enumerate(reasons.tolist()) if reason]


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
            raise _other_work(folder, changed)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if foreign := sorted(file.name for file in folder.iterdir() if file.suffix != ".partial"):
        raise FileExistsError(
            f"{folder} holds {foreign[0]} and no beginning of an extraction: move it away, or choose another "
            "output"
        )
    write_text(path, json.dumps(plan, indent=2))


def _other_work(folder: Path, changed: list[str]) -> ValueError:
    return ValueError(
        f"{folder} holds the beginning of other work ({', '.join(changed)} differ): go on with the same "
        "images and network, or delete the folder"
    )
