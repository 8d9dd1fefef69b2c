"""Write MOT Challenge files, which count pixels from 1; records count them from 0, see read.py."""

from __future__ import annotations

from pathlib import Path

from reid_gl.data.mot.read import MotBoxes, MotSequence
from reid_gl.files import write_text


def write_results(path: str | Path, tracks: MotBoxes) -> None:
    """Write a tracker's boxes: frame, id, left, top, width, height, confidence, -1, -1, -1.

    Args:
        path: file to write, usually named after the sequence; it appears only when it is complete.
        tracks: boxes with ids from 1.

    Raises:
        ValueError: a box has no id.
    """
    if (tracks.ids < 1).any():
        raise ValueError(f"results need ids from 1, got {int(tracks.ids.min())}: give every track a number")
    _write_lines(path, _confident_lines(tracks))


def write_detections(path: str | Path, detections: MotBoxes) -> None:
    """Write det.txt: frame, -1, left, top, width, height, confidence, -1, -1, -1."""
    _write_lines(path, _confident_lines(detections))


def write_ground_truth(path: str | Path, truth: MotBoxes) -> None:
    """Write gt.txt of MOT16: frame, id, left, top, width, height, flag, class, visibility."""
    lines = [
        f"{place},{flag:g},{kind},{visibility:.4f}"
        for place, flag, kind, visibility in zip(
            _places(truth), truth.confidences, truth.classes, truth.visibilities, strict=True
        )
    ]
    _write_lines(path, lines)


def write_sequence_info(sequence: MotSequence) -> None:
    """Write seqinfo.ini into the sequence's folder."""
    lines = [
        "[Sequence]",
        f"name={sequence.name}",
        f"imDir={sequence.image_folder.name}",
        f"frameRate={sequence.frame_rate:g}",
        f"seqLength={sequence.num_frames}",
        f"imWidth={sequence.width}",
        f"imHeight={sequence.height}",
        f"imExt={sequence.suffix}",
    ]
    _write_lines(sequence.folder / "seqinfo.ini", lines)


def _places(boxes: MotBoxes) -> list[str]:
    """Return frame, id and box of every row as text."""
    return [
        f"{frame},{identity},{left + 1:.2f},{top + 1:.2f},{width:.2f},{height:.2f}"
        for frame, identity, (left, top, width, height) in zip(
            boxes.frames, boxes.ids, boxes.boxes, strict=True
        )
    ]


def _confident_lines(boxes: MotBoxes) -> list[str]:
    """Write ten numbers per row; the last three, world coordinates, are -1."""
    rows = zip(_places(boxes), boxes.confidences, strict=True)
    return [f"{place},{confidence:.4f},-1,-1,-1" for place, confidence in rows]


def _write_lines(path: str | Path, lines: list[str]) -> None:
    write_text(Path(path), "".join(f"{line}\n" for line in lines))
