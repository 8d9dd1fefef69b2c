"""Reading MOT Challenge folders: seqinfo.ini, images, detections and ground truth.

The files count pixels from 1, as the official kit does: a box at the left edge has left = 1. Records here
count from 0, like arrays: 1 is subtracted from left and top on reading and added on writing (write.py).
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
from reid_gl.untrusted.json_files import what_is_wrong
from reid_gl.untrusted.regular_file import read_lines, why_no_file

PEDESTRIAN = 1
"""Class of pedestrians in MOT16, MOT17 and MOT20."""
MAX_INFO_BYTES = 100_000
"""Of seqinfo.ini."""
UNKNOWN = -1.0
"""Value of a class or visibility that is unknown in a file."""
_NUMBER = re.compile(r"[0-9]{1,18}")
LARGEST = 10**15
"""Largest frame, id or class, so that floating point represents it exactly."""
DETECTION_COLUMNS = (7, 10)
TRUTH_COLUMNS = (9, 10)


@dataclass(frozen=True)
class MotSequence:
    """The content of a sequence's seqinfo.ini.

    Attributes:
        folder: folder of the sequence.
        name: its name in results.
        image_folder: folder of the images, usually img1.
        frame_rate: frames per second.
        num_frames: number of frames, which are numbered from 1.
        width: width of the images, in pixels.
        height: height of the images, in pixels.
        suffix: suffix of the image files, such as ".jpg".
        digits: number of digits of the zero-padded frame numbers in file names.
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
        """Return the path of a frame's image; frames are counted from 1."""
        return self.image_folder / f"{frame:0{self.digits}d}{self.suffix}"


@dataclass(frozen=True)
class MotBoxes:
    """M boxes in ascending order of frames; within a frame, in the order of the file.

    Attributes:
        frames: (M,) int64, from 1.
        ids: (M,) int64; -1 if unknown.
        boxes: (M, 4) float64 left, top, width, height in pixels, left and top counted from 0.
        confidences: (M,) float64; for ground truth the flag, above 0 to consider and 0 to ignore.
        classes: (M,) int64; PEDESTRIAN if the file does not state it.
        visibilities: (M,) float64 in [0, 1]; 1 if the file does not state it.
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
        """Return the slice of rows that belong to a frame."""
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        return slice(int(first), int(last))

    def select(self, rows: NDArray[np.bool_]) -> MotBoxes:
        """Return the boxes for which rows (M,) is True."""
        return MotBoxes(
            self.frames[rows],
            self.ids[rows],
            self.boxes[rows],
            self.confidences[rows],
            self.classes[rows],
            self.visibilities[rows],
        )


def load_sequence(folder: str | Path) -> MotSequence:
    """Read seqinfo.ini and find out how the images are named; no image is opened.

    Args:
        folder: folder of a sequence.

    Returns:
        The sequence.

    Raises:
        FileNotFoundError: there is no seqinfo.ini.
        ValueError: an entry is missing or out of range.
    """
    path = Path(folder) / "seqinfo.ini"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} {why_no_file(path)}: expected the folder of a MOT Challenge sequence, which holds "
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
            f"{path} is not a valid seqinfo.ini: expected [Sequence] with frameRate, seqLength, imWidth and "
            f"imHeight; {what_is_wrong(error)}"
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
        num_frames: number of frames of the sequence; None accepts any.

    Returns:
        The detections; classes and visibilities are not in the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line has another form, or its frame does not exist; the message names the line.
    """
    table, lines = read_numbers(Path(path), DETECTION_COLUMNS)
    return _as_boxes(table, lines, Path(path), num_frames)


def read_ground_truth(path: str | Path, *, num_frames: int | None = None) -> MotBoxes:
    """Read gt.txt, in any order of lines.

    Args:
        path: lines of 9 numbers (MOT16, 17, 20: frame, id, left, top, width, height, flag, class, visibility,
            the last two -1 if unknown) or 10 (MOT15: frame, id, left, top, width, height, flag,
            then three that are ignored), with commas or spaces between them.
        num_frames: number of frames of the sequence; None accepts any.

    Returns:
        The boxes, with the flag as confidence.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line has another form, its frame does not exist, or an id is twice in a frame; the
            message names the line.
    """
    table, lines = read_numbers(Path(path), TRUTH_COLUMNS)
    boxes = _as_boxes(table, lines, Path(path), num_frames)
    order = np.lexsort((boxes.ids, boxes.frames))
    frames, ids = boxes.frames[order], boxes.ids[order]
    again = np.flatnonzero((frames[1:] == frames[:-1]) & (ids[1:] == ids[:-1]))
    if len(again):
        frame, identity = frames[again[0]], ids[again[0]]
        both = lines[(table[:, 0] == frame) & (table[:, 1] == identity)][:2]
        raise ValueError(f"{path} lines {both.tolist()}: frame {frame} has id {identity} twice")
    return boxes


def iterate_frames(sequence: MotSequence) -> Iterator[tuple[int, Image8]]:
    """Yield the frames in order, with their numbers.

    Args:
        sequence: the sequence.

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
    """Read the image (H, W, 3) uint8 BGR of one frame, counted from 1."""
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
    """Check the numbers and sort them by frame."""
    check_rows(np.asarray(np.isfinite(table).all(axis=1)), lines, path, "expected finite numbers")
    whole = np.asarray((table[:, :2] == np.floor(table[:, :2])).all(axis=1))
    whole &= np.asarray((np.abs(table[:, :2]) <= LARGEST).all(axis=1))
    check_rows(whole, lines, path, "frame and id must be whole numbers, of up to 15 digits")
    check_rows(table[:, 0] >= 1, lines, path, "frames are counted from 1")
    if num_frames is not None:
        check_rows(table[:, 0] <= num_frames, lines, path, f"the sequence has only {num_frames} frames")
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
