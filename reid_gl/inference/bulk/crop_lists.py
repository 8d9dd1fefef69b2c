"""Lists of crops to extract: images of a folder, rows of a table, frames and boxes of a video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.datasets.own.table_files import TABLE_SUFFIXES
from reid_gl.data.mot.read import MotBoxes, load_sequence
from reid_gl.inference.bulk.box_files import BoxFile, own_boxes
from reid_gl.inference.bulk.crop_tables import read_crop_table
from reid_gl.inference.bulk.remote_tables import is_uri, read_remote_table
from reid_gl.inference.bulk.video import claimed_frames, claimed_rate, count_frames
from reid_gl.inference.extractor.crops import as_corners
from reid_gl.untrusted.regular_file import why_no_file

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")


@dataclass(frozen=True)
class CropList:
    """M images, or boxes in images.

    Attributes:
        name: name of the folder, file or sequence.
        paths: (M,) image file of each row; empty if the rows are frames of a video.
        video: the video; None if there are paths.
        columns: further columns (M,) by name: "frames" from 1, "ids", "confidences", "pids", "camids",
            "tracklets", "clothes", "dates", "splits".
        boxes: (M, 4) x1, y1, x2, y2 in pixels counted from 0, NaN in rows that mean the whole image; None if
            all rows mean the whole image.
    """

    name: str
    paths: tuple[str, ...] = ()
    video: Path | None = None
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    boxes: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """M."""
        return len(self.paths) if self.video is None else len(self.columns["frames"])

    def check_unicode(self, kept_in: str) -> None:
        """Refuse files whose names are not UTF-8, before features are computed that cannot be kept.

        Args:
            kept_in: what takes only such names, for the message.

        Raises:
            ValueError: there is one.
        """
        for path in self.paths:
            try:
                path.encode()
            except UnicodeEncodeError:
                raise ValueError(
                    f"the name of image {path!r} is not UTF-8, and {kept_in} takes no other: rename it, or "
                    "write .npz"
                ) from None

    def select(self, rows: NDArray[np.bool_]) -> CropList:
        """Return the rows for which the mask `rows` (M,) is True."""
        return CropList(
            self.name,
            tuple(path for path, is_kept in zip(self.paths, rows, strict=True) if is_kept)
            if self.paths
            else (),
            self.video,
            {name: column[rows] for name, column in self.columns.items()},
            None if self.boxes is None else self.boxes[rows],
        )

    def rows(self, start: int, stop: int) -> CropList:
        """Return the rows from `start` to the one before `stop`."""
        return CropList(
            self.name,
            self.paths[start:stop],
            self.video,
            {name: column[start:stop] for name, column in self.columns.items()},
            None if self.boxes is None else self.boxes[start:stop],
        )

    def with_absolute_paths(self) -> CropList:
        """Return the same images by absolute paths, which other processes and hosts understand."""
        return replace(self, paths=tuple(str(Path(path).absolute()) for path in self.paths))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all columns of the rows, (M,) or (M, 4)."""
        paths = {"paths": np.array(self.paths, dtype=np.str_)} if self.video is None else {}
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
    """List the crops of a folder or file.

    Images are not opened. A video without boxes is decoded to its end, to count its frames.

    Args:
        source: a folder of images, searched recursively; the folder of a MOT Challenge sequence; a table
            (.csv, .tsv, .parquet) with the column path and optionally pid, camid, split, x1, y1, x2, y2,
            tracklet, clothes, date and frame, as make-split and mot-to-reid write it; the URI of such a
            .parquet table, with absolute paths; or a video.
        boxes: det.txt or gt.txt of a video or a sequence. By default, a sequence uses its own det/det.txt or,
            if that does not exist, its gt/gt.txt, with a warning.
        stride: take every stride-th frame of a video without boxes, starting with the first.
        classes: classes of the ground truth to take; None means pedestrians. A file with a name that begins
            with gt is ground truth; all others are detections.
        show_progress: show a progress bar while the frames of a video are counted.

    Returns:
        A list with at least one row.

    Raises:
        FileNotFoundError: the folder, the file or an image does not exist.
        ValueError: the source is empty or of an unknown kind, or an argument does not apply to it.
    """
    if is_uri(source):
        return _list_remote_table(str(source), boxes, stride, classes)
    source = Path(source)
    is_video = source.suffix.lower() in VIDEO_SUFFIXES
    is_sequence = source.is_dir() and ((source / "seqinfo.ini").is_file() or (source / "img1").is_dir())
    if boxes is not None and not (is_video or is_sequence):
        raise ValueError(f"boxes {boxes} need a video or a MOT Challenge sequence, {source} is neither")
    if stride < 1 or (stride > 1 and (boxes is not None or not is_video)):
        raise ValueError(f"stride must be at least 1, and 1 except for a video without boxes, got {stride}")
    if not source.exists():
        raise FileNotFoundError(f"{source} {why_no_file(source)}")
    if is_sequence and boxes is None:
        boxes = own_boxes(source)
    if classes is not None and boxes is None:
        raise ValueError(f"classes need the boxes of a ground truth, but {source} is read without boxes")
    box_file = None if boxes is None else BoxFile(Path(boxes), classes)
    if is_video:
        crops = _list_video(source, box_file, stride, show_progress)
    elif box_file is not None:
        crops = _list_sequence(source, box_file)
    else:
        crops = _list_folder(source) if source.is_dir() else _list_table(source)
    return _not_empty(crops, source)


def frame_rate_of(source: Path, crops: CropList) -> float | None:
    """Return the frame rate that a video or a sequence states; None if it states none."""
    if crops.video is not None:
        return claimed_rate(crops.video)
    if source.is_dir() and "frames" in crops.columns:
        return load_sequence(source).frame_rate
    return None


def _not_empty(crops: CropList, source: str | Path) -> CropList:
    if not len(crops):
        raise ValueError(f"{source} contains no images, rows or boxes to compute features of")
    return crops


def _list_remote_table(
    uri: str, boxes: str | Path | None, stride: int, classes: Sequence[int] | None
) -> CropList:
    if boxes is not None or classes is not None or stride != 1:
        raise ValueError(f"boxes, classes and stride do not apply to {uri}, which is read as a table")
    paths, columns, corners = read_remote_table(uri)
    return _not_empty(CropList(PurePosixPath(uri).stem, paths, columns=columns, boxes=corners), uri)


def _list_folder(folder: Path) -> CropList:
    paths = tuple(os.path.join(folder, path) for path in list_tree(folder))
    return CropList(folder.resolve().name, paths)


def _list_table(path: Path) -> CropList:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise ValueError(
            f"{path} is not a folder, a table ({', '.join(TABLE_SUFFIXES)}) or a video "
            f"({', '.join(VIDEO_SUFFIXES)})"
        )
    paths, columns, corners = read_crop_table(path)
    return CropList(path.stem, paths, columns=columns, boxes=corners)


def _list_video(path: Path, boxes: BoxFile | None, stride: int, show_progress: bool) -> CropList:
    if boxes is None:
        count = count_frames(path, show_progress=show_progress)
        frames = np.arange(1, count + 1, min(stride, count + 1))
        return CropList(path.stem, video=path, columns={"frames": frames})
    claimed = claimed_frames(path)
    found = boxes.read(None)
    # the claimed number of frames may be too low; one that is too high shows when the frames are read
    if found.frames.max(initial=0) > claimed:
        found = boxes.read(count_frames(path, show_progress=show_progress))
    return _with_boxes(CropList(path.stem, video=path), found)


def _list_sequence(folder: Path, boxes: BoxFile) -> CropList:
    sequence = load_sequence(folder)
    found = boxes.read(sequence.num_frames)
    images = {frame: sequence.frame_path(frame) for frame in np.unique(found.frames).tolist()}
    missing = [path for path in images.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{boxes.path} has boxes in {len(missing):,} frames without an image, the first is {missing[0]}"
        )
    paths = tuple(str(images[frame]) for frame in found.frames.tolist())
    return _with_boxes(CropList(sequence.name, paths), found)


def _with_boxes(crops: CropList, found: MotBoxes) -> CropList:
    columns = {"frames": found.frames, "ids": found.ids, "confidences": found.confidences}
    # checks the numbers as they are in the file (from 1), to refuse boxes given as fractions of the image
    as_corners(found.boxes + np.array([1.0, 1.0, 0.0, 0.0]), "tlwh")
    return CropList(crops.name, crops.paths, crops.video, columns, as_corners(found.boxes, "tlwh"))
