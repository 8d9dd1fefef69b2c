"""What to compute features of: images of a folder, rows of a CSV file, frames and boxes of a video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.datasets.own.table_files import TABLE_SUFFIXES
from reid_gl.data.mot.read import MotBoxes, load_sequence
from reid_gl.inference.bulk.box_files import BoxFile, own_boxes
from reid_gl.inference.bulk.crop_tables import read_crop_table
from reid_gl.inference.bulk.video import claimed_frames, count_frames
from reid_gl.inference.extractor.crops import as_corners

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")


@dataclass(frozen=True)
class CropList:
    """M images, or boxes in images.

    Attributes:
        name: of the folder, file or sequence.
        paths: (M,) image of each row; empty if they are frames of a video.
        video: the video; None if there are paths.
        columns: further columns (M,) by name: "frames" from 1, "ids", "confidences", "pids", "camids",
            "tracklets", "splits".
        boxes: (M, 4) x1, y1, x2, y2 in pixels counted from 0, NaN where the whole image is meant; None if
            it is everywhere.
    """

    name: str
    paths: tuple[str, ...] = ()
    video: Path | None = None
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    boxes: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """M."""
        return len(self.paths) if self.video is None else len(self.columns["frames"])

    def select(self, rows: NDArray[np.bool_]) -> CropList:
        """The rows where (M,) rows is True."""
        return CropList(
            self.name,
            tuple(path for path, is_kept in zip(self.paths, rows, strict=True) if is_kept)
            if self.paths
            else (),
            self.video,
            {name: column[rows] for name, column in self.columns.items()},
            None if self.boxes is None else self.boxes[rows],
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything known of the rows as columns (M,) or (M, 4)."""
        paths = {"paths": np.array(self.paths)} if self.paths else {}
        boxes = {} if self.boxes is None else {"boxes": self.boxes}
        return {**paths, **self.columns, **boxes}


def list_crops(
    source: str | Path,
    *,
    boxes: str | Path | None = None,
    stride: int = 1,
    classes: Sequence[int] | None = None,
    show_progress: bool = False,
) -> CropList:
    """What a folder or file holds; no image is opened, a video without boxes is decoded to its end.

    Args:
        source: a folder of images, searched to the bottom; the folder of a MOT Challenge sequence; a table
            (.csv, .tsv, .parquet) with the titles path and, or not, pid, camid, split, x1, y1, x2, y2,
            tracklet, frame, as make-split and mot-to-reid write it; or a video.
        boxes: det.txt or gt.txt, of a video or a sequence. A sequence has its own: det/det.txt, else
            gt/gt.txt, which a warning says.
        stride: of a video without boxes, every how many frames one is taken, from the first.
        classes: of a ground truth, whose boxes to consider are taken; None means people on foot. Boxes of any
            file whose name begins with gt are ground truth, all others detections.
        show_progress: draw a bar while the frames of a video are counted.

    Returns:
        At least one row.

    Raises:
        FileNotFoundError: no such folder, file or image.
        ValueError: nothing in it, a file of another kind, or arguments that do not belong to it.
    """
    source = Path(source)
    is_video = source.suffix.lower() in VIDEO_SUFFIXES
    is_sequence = source.is_dir() and ((source / "seqinfo.ini").is_file() or (source / "img1").is_dir())
    if boxes is not None and not (is_video or is_sequence):
        raise ValueError(f"boxes {boxes} belong to a video or a MOT Challenge sequence, {source} is neither")
    if stride < 1 or (stride > 1 and (boxes is not None or not is_video)):
        raise ValueError(f"stride is at least 1 and belongs to a video without boxes, got {stride}")
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist")
    if is_sequence and boxes is None:
        boxes = own_boxes(source)
    if classes is not None and boxes is None:
        raise ValueError(f"classes belong to boxes of a ground truth, {source} is read without boxes")
    box_file = None if boxes is None else BoxFile(Path(boxes), classes)
    if is_video:
        crops = _list_video(source, box_file, stride, show_progress)
    elif box_file is not None:
        crops = _list_sequence(source, box_file)
    elif source.is_dir():
        crops = _list_folder(source)
    elif source.suffix.lower() in TABLE_SUFFIXES:
        paths, columns, corners = read_crop_table(source)
        crops = CropList(source.stem, paths, columns=columns, boxes=corners)
    else:
        raise ValueError(
            f"{source} is neither a folder, a table ({', '.join(TABLE_SUFFIXES)}) nor a video "
            f"({', '.join(VIDEO_SUFFIXES)})"
        )
    if not len(crops):
        raise ValueError(f"{source} holds nothing to compute features of")
    return crops


def _list_folder(folder: Path) -> CropList:
    paths = tuple(os.path.join(folder, path) for path in list_tree(folder))
    return CropList(folder.resolve().name, paths)


def _list_video(path: Path, boxes: BoxFile | None, stride: int, show_progress: bool) -> CropList:
    if boxes is None:
        frames = np.arange(1, count_frames(path, show_progress=show_progress) + 1, stride)
        return CropList(path.stem, video=path, columns={"frames": frames})
    claimed = claimed_frames(path)
    found = boxes.read(None)
    if found.frames.max(initial=0) > claimed:  # the claim may be too low; one too high shows at the end
        found = boxes.read(count_frames(path, show_progress=show_progress))
    return _with_boxes(CropList(path.stem, video=path), found)


def _list_sequence(folder: Path, boxes: BoxFile) -> CropList:
    sequence = load_sequence(folder)
    found = boxes.read(sequence.num_frames)
    pictures = {frame: sequence.frame_path(frame) for frame in np.unique(found.frames).tolist()}
    missing = [path for path in pictures.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{boxes.path} has boxes in {len(missing):,} frames without an image, the first is {missing[0]}"
        )
    paths = tuple(str(pictures[frame]) for frame in found.frames.tolist())
    return _with_boxes(CropList(sequence.name, paths), found)


def _with_boxes(crops: CropList, found: MotBoxes) -> CropList:
    columns = {"frames": found.frames, "ids": found.ids, "confidences": found.confidences}
    as_corners(found.boxes + np.array([1.0, 1.0, 0.0, 0.0]), "tlwh")  # as in the file, to refuse shares
    return CropList(crops.name, crops.paths, crops.video, columns, as_corners(found.boxes, "tlwh"))
