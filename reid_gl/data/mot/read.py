"""Reading MOT Challenge folders: seqinfo.ini, images, detections and ground truth.

The files count pixels from 1, as the official kit does: a box at the left edge has left = 1. Records here
count from 0, like arrays: 1 is subtracted from left and top on reading and added on writing (mot_write.py).
"""

from __future__ import annotations

import configparser
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8, read_image
from reid_gl.data.mot.frames import USUAL_DIGITS, find_frame_names
from reid_gl.data.mot.lines import check_rows, read_numbers
from reid_gl.data.mot.sequence_names import check_sequence_names
from reid_gl.untrusted.regular_file import read_lines

PEDESTRIAN = 1
"""Class of people on foot in MOT16, MOT17 and MOT20."""
MAX_INFO_BYTES = 100_000
"""Of seqinfo.ini."""
UNKNOWN = -1.0
"""Class or visibility that a file does not say."""
_NUMBER = re.compile(r"[0-9]{1,18}")
LARGEST = 10**15
"""Of a frame, an id or a class, so that floating point holds them exactly."""
DETECTION_COLUMNS = (7, 10)
TRUTH_COLUMNS = (9, 10)


@dataclass(frozen=True)
class MotSequence:
    """What seqinfo.ini says of one sequence.

    Attributes:
        folder: of the sequence.
        name: as results call it.
        image_folder: where the images lie, img1 as a rule.
        frame_rate: frames a second.
        num_frames: frames are numbered from 1 to this.
        width: of the images, pixels.
        height: of the images, pixels.
        suffix: of the images, such as ".jpg", as the files have it.
        digits: of the frame numbers in their names, filled with zeros.
    """

    folder: Path
    name: str
    image_folder: Path
    frame_rate: float
    num_frames: int
    width: int
    height: int
    suffix: str
    digits: int = USUAL_DIGITS

    def frame_path(self, frame: int) -> Path:
        """The image of a frame, counted from 1."""
        return self.image_folder / f"{frame:0{self.digits}d}{self.suffix}"


@dataclass(frozen=True)
class MotBoxes:
    """M boxes in rising order of frames; within a frame as the file has them.

    Attributes:
        frames: (M,) int64, from 1.
        ids: (M,) int64; -1 where nobody knows.
        boxes: (M, 4) float64 left, top, width, height in pixels, left and top counted from 0.
        confidences: (M,) float64; of ground truth the flag, above 0 to consider and 0 to ignore.
        classes: (M,) int64; PEDESTRIAN where the file does not say.
        visibilities: (M,) float64 in [0, 1]; 1 where the file does not say.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    confidences: NDArray[np.float64]
    classes: NDArray[np.int64]
    visibilities: NDArray[np.float64]

    def __len__(self) -> int:
        """M."""
        return len(self.frames)

    def rows_of(self, frame: int) -> slice:
        """Which rows belong to a frame."""
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        return slice(int(first), int(last))

    def select(self, rows: NDArray[np.bool_]) -> MotBoxes:
        """The boxes where (M,) rows is True."""
        return MotBoxes(
            self.frames[rows],
            self.ids[rows],
            self.boxes[rows],
            self.confidences[rows],
            self.classes[rows],
            self.visibilities[rows],
        )


def load_sequence(folder: str | Path) -> MotSequence:
    """Read seqinfo.ini and how the images are named; none is opened.

    Args:
        folder: of one sequence.

    Returns:
        What it says.

    Raises:
        FileNotFoundError: no seqinfo.ini there.
        ValueError: an entry is missing or out of range.
    """
    path = Path(folder) / "seqinfo.ini"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: expected the folder of a MOT Challenge sequence, which holds "
            "seqinfo.ini, img1/ and det/ or gt/"
        )
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string("".join(read_lines(path, max_bytes=MAX_INFO_BYTES)))
        entries = parser["Sequence"]
        image_folder = Path(folder) / entries.get("imDir", "img1")
        digits, suffix = find_frame_names(image_folder, entries.get("imExt", ".jpg"))
        sequence = MotSequence(
            folder=Path(folder),
            name=entries.get("name", Path(folder).resolve().name),
            image_folder=image_folder,
            frame_rate=float(entries["frameRate"]),
            num_frames=int(entries["seqLength"]),
            width=int(entries["imWidth"]),
            height=int(entries["imHeight"]),
            suffix=suffix,
            digits=digits,
        )
    except (configparser.Error, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is no seqinfo.ini: expected [Sequence] with frameRate, seqLength, imWidth and imHeight; "
            f"{type(error).__name__}: {str(error)[:200]}"
        ) from None
    folder_name = entries.get("imDir", "img1")
    check_sequence_names(path, name=sequence.name, image_folder=folder_name, suffix=sequence.suffix)
    numbers = (sequence.frame_rate, sequence.num_frames, sequence.width, sequence.height)
    if not math.isfinite(sequence.frame_rate) or min(numbers) <= 0:
        raise ValueError(
            f"{path}: frameRate, seqLength, imWidth and imHeight must be above 0, got {sequence}"
        )
    return sequence


def read_detections(path: str | Path, *, num_frames: int | None = None) -> MotBoxes:
    """Read det.txt, in any order of lines.

    Args:
        path: lines of 7 or 10 numbers, with commas or spaces between them: frame, id, left, top, width,
            height, confidence; the rest is ignored.
        num_frames: frames of the sequence; None accepts any.

    Returns:
        The detections; classes and visibilities are not in the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is none of this, or a frame that does not exist; says which line.
    """
    table, lines = read_numbers(Path(path), DETECTION_COLUMNS)
    return _as_boxes(table, lines, Path(path), num_frames)


def read_ground_truth(path: str | Path, *, num_frames: int | None = None) -> MotBoxes:
    """Read gt.txt, in any order of lines.

    Args:
        path: lines of 9 numbers (MOT16, 17, 20: frame, id, left, top, width, height, flag, class, visibility,
            the last two -1 where they are not known) or 10 (MOT15: frame, id, left, top, width, height, flag,
            then three that are ignored), with commas or spaces between them.
        num_frames: frames of the sequence; None accepts any.

    Returns:
        The boxes, with the flag as confidence.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is none of this, a frame that does not exist, or an id twice in a frame; says
            which line.
    """
    table, lines = read_numbers(Path(path), TRUTH_COLUMNS)
    boxes = _as_boxes(table, lines, Path(path), num_frames)
    places = np.stack([boxes.frames, boxes.ids], axis=1)
    _, first, counts = np.unique(places, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        frame, identity = places[first[counts > 1][0]]
        both = lines[(table[:, 0] == frame) & (table[:, 1] == identity)][:2]
        raise ValueError(f"{path} lines {both.tolist()}: frame {frame} has id {identity} twice")
    return boxes


def iterate_frames(sequence: MotSequence) -> Iterator[tuple[int, Image8]]:
    """Frames in order, with their numbers.

    Args:
        sequence: which.

    Yields:
        The frame's number, from 1, and the image (H, W, 3) uint8 BGR.

    Raises:
        FileNotFoundError: before the first frame, if images are missing.
        ValueError: an image is broken or has another size than seqinfo.ini says.
    """
    require_frames(sequence)
    for frame in range(1, sequence.num_frames + 1):
        yield frame, read_frame(sequence, frame)


def require_frames(sequence: MotSequence) -> None:
    """Raise FileNotFoundError unless there is an image of every frame."""
    names = set(os.listdir(sequence.image_folder)) if sequence.image_folder.is_dir() else set()
    stems = {name.removesuffix(sequence.suffix) for name in names}
    numbers = {int(stem) for stem in stems if _NUMBER.fullmatch(stem)}
    there = {n for n in numbers if 1 <= n <= sequence.num_frames and sequence.frame_path(n).name in names}
    if len(there) < sequence.num_frames:
        first = next(number for number in count(1) if number not in there)
        raise FileNotFoundError(
            f"{sequence.num_frames - len(there):,} of the {sequence.num_frames:,} frames of {sequence.name} "
            f"have no image, the first is {sequence.frame_path(first)}: unpack the sequence again or correct "
            "seqLength in seqinfo.ini"
        )


def read_frame(sequence: MotSequence, frame: int) -> Image8:
    """The image (H, W, 3) uint8 BGR of one frame, counted from 1."""
    path = sequence.frame_path(frame)
    image = np.asarray(cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR), dtype=np.uint8)
    if image.shape[:2] != (sequence.height, sequence.width):
        raise ValueError(
            f"{path} has {image.shape[1]} x {image.shape[0]} pixels, but seqinfo.ini says "
            f"{sequence.width} x {sequence.height}"
        )
    return image


def _as_boxes(
    table: NDArray[np.float64], lines: NDArray[np.int64], path: Path, num_frames: int | None
) -> MotBoxes:
    """Check the numbers and put them in order of frames."""
    check_rows(np.asarray(np.isfinite(table).all(axis=1)), lines, path, "expected finite numbers")
    whole = np.asarray((table[:, :2] == np.floor(table[:, :2])).all(axis=1))
    whole &= np.asarray((np.abs(table[:, :2]) <= LARGEST).all(axis=1))
    check_rows(whole, lines, path, "frame and id must be whole numbers, of up to 15 digits")
    check_rows(table[:, 0] >= 1, lines, path, "frames are counted from 1")
    if num_frames is not None:
        check_rows(table[:, 0] <= num_frames, lines, path, f"the sequence has {num_frames} frames only")
    check_rows(
        np.asarray((table[:, 4:6] >= 0).all(axis=1)), lines, path, "width and height must not be negative"
    )
    classes, visibilities = (
        (table[:, 7], table[:, 8]) if table.shape[1] == 9 else 2 * (np.full(len(table), UNKNOWN),)
    )
    is_class = (classes == np.floor(classes)) & (np.abs(classes) <= LARGEST)
    check_rows(is_class, lines, path, "the class must be a whole number")
    is_share = (visibilities >= 0) & (visibilities <= 1)
    check_rows(
        is_share | (visibilities == UNKNOWN), lines, path, "visibility must be from 0 to 1, or -1 if unknown"
    )
    order = np.argsort(table[:, 0], kind="stable")
    table = table[order]
    return MotBoxes(
        frames=table[:, 0].astype(np.int64),
        ids=table[:, 1].astype(np.int64),
        boxes=table[:, 2:6] - np.array([1.0, 1.0, 0.0, 0.0]),
        confidences=table[:, 6].copy(),
        classes=np.where(classes == UNKNOWN, PEDESTRIAN, classes)[order].astype(np.int64),
        visibilities=np.where(visibilities == UNKNOWN, 1.0, visibilities)[order],
    )
