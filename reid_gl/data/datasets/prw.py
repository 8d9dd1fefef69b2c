"""PRW, person search: whole frames of six cameras with the boxes of their people."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_gl.data.datasets.own.detections import MIN_SCORE, read_detections
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.image_lists import AGAIN
from reid_gl.data.datasets.reading.person_search import Corners, corners_of, make_search
from reid_gl.records import DISTRACTOR_PID, ReidDataset, Sample, SceneSearch
from reid_gl.untrusted.matlab import read_matlab
from reid_gl.untrusted.regular_file import quoted, read_lines

FOLDER_NAMES = ("PRW-v16.04.20", "PRW")
FRAME_LISTS = {"frame_train.mat": "img_index_train", "frame_test.mat": "img_index_test"}
QUERIES = "query_info.txt"
BOXES = ("box_new", "anno_file", "anno_previous")
"""Names of the boxes in an annotation file; the first one that exists counts."""
UNLABELLED = -2
TREE = """\
PRW-v16.04.20/
    frames/         c1s1_000151.jpg … (whole images)
    annotations/    c1s1_000151.jpg.mat … (person, x, y, width, height in each row)
    frame_train.mat  frame_test.mat  query_info.txt"""

_FRAME = re.compile(r"c([1-9])s\d+_\d+")
_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"
_QUERY = re.compile(rf"(?P<pid>\d{{1,9}})\s+(?P<box>{_NUMBER}(?:\s+{_NUMBER}){{3}})\s+(?P<frame>\S+)")


def load_prw(
    root: str | Path,
    *,
    cross_camera: bool = False,
    detections: str | Path = "",
    min_detection_score: float = MIN_SCORE,
) -> ReidDataset:
    """Load PRW with its protocol of person search; no image is opened.

    Training uses the labelled boxes of the training frames. Each query searches all test frames but its own.
    The gallery is every box of the test frames, true ones or those of a detector; people without a label are
    distractors. Boxes are rounded to whole pixels.

    Args:
        root: the data folder, its parent, or a part of it.
        cross_camera: leave out the frames of the query's own camera.
        detections: table of a detector's boxes in the test frames; empty for the true boxes.
        min_detection_score: see read_detections.

    Returns:
        The data set, by frame and in the order of the boxes.

    Raises:
        FileNotFoundError: folders or files are missing.
        ValueError: a list, an annotation file or the detections are broken.

    Source: Zheng, Zhang, Sun, Chandraker, Yang, Tian, "Person Re-identification in the Wild", CVPR 2017.
    """
    parts = ("frames", "annotations", *FRAME_LISTS, QUERIES)
    folder, _ = find_folder(root, Layout("PRW", FOLDER_NAMES, (parts,), TREE))
    train, test = (_read_frames(folder / name, field) for name, field in FRAME_LISTS.items())
    require_files(
        [os.path.join(folder, "annotations", f"{frame}.jpg.mat") for frame in train + test],
        "the lists of frames",
    )
    queries, true_boxes = tuple(_read_queries(folder)), tuple(_read_boxes(folder, test))
    cameras = {_path(folder, frame): _camera(frame) for frame in test}
    gallery = true_boxes
    if detections:
        gallery = read_detections(detections, cameras, min_score=min_detection_score)
    dataset = ReidDataset(
        tuple(sample for sample in _read_boxes(folder, train) if sample.pid != DISTRACTOR_PID),
        queries,
        gallery,
        "prw_cross_camera" if cross_camera else "prw",
        search=_search(queries, true_boxes, gallery, cameras, cross_camera=cross_camera),
    )
    everything = (*dataset.train, *dataset.query, *dataset.gallery)
    require_files([sample.path for sample in everything], f"the lists of {folder}")
    return dataset


def _search(
    queries: Sequence[Sample],
    true_boxes: Sequence[Sample],
    gallery: Sequence[Sample],
    cameras: Mapping[str, int],
    *,
    cross_camera: bool,
) -> SceneSearch:
    """Return which frames each query searches; cameras are those of the test frames."""
    numbers = {path: number for number, path in enumerate(cameras)}
    seen: dict[int, dict[int, Corners]] = defaultdict(dict)
    for sample in true_boxes:
        if sample.pid != DISTRACTOR_PID and sample.box is not None:
            seen[sample.pid].setdefault(numbers[sample.path], sample.box)  # one in a frame
    searched = np.ones((len(queries), len(cameras)), np.bool_)
    of_frames = np.array([*cameras.values()], np.int64)
    for row, query in zip(searched, queries, strict=True):
        if query.path in numbers:
            row[numbers[query.path]] = False
        if cross_camera:
            row &= of_frames != query.camid
    return make_search(cameras, gallery, searched, [seen[query.pid] for query in queries])


def _read_frames(path: Path, field: str) -> list[str]:
    """Return the sorted names of frames, without suffix."""
    cells = np.asarray(read_matlab(path, [field]).get(field, np.empty(0)), dtype=object).ravel()
    names = [str(cell.item()) if isinstance(cell, np.ndarray) and cell.size == 1 else "" for cell in cells]
    wrong = [name for name in names if not _FRAME.fullmatch(name)]
    if wrong or not names:
        raise ValueError(
            f"{path} has no list {field} of frames such as 'c1s1_000151'"
            f"{f', but {wrong[0]!r}' if wrong else ''}; {AGAIN}"
        )
    return sorted(names)


def _read_boxes(folder: Path, frames: Sequence[str]) -> Iterable[Sample]:
    for frame in frames:
        path = folder / "annotations" / f"{frame}.jpg.mat"
        content = read_matlab(path, BOXES)
        rows: Any = next((content[name] for name in BOXES if name in content), np.empty(0))
        rows = np.asarray(rows)
        is_table = rows.ndim == 2 and rows.shape[1] == 5 and rows.dtype.kind in "iuf"
        if not is_table or not np.isfinite(rows).all():
            raise ValueError(
                f"{path} has no boxes: expected person, x, y, width and height in each row of "
                f"{', '.join(BOXES)}; {AGAIN}"
            )
        for pid, *box in rows.tolist():
            if pid != int(pid) or (pid < 1 and pid != UNLABELLED):
                raise ValueError(f"{path} has a person {pid:g}: expected a number from 1, or -2; {AGAIN}")
            known = DISTRACTOR_PID if pid == UNLABELLED else int(pid)
            yield _sample(folder, frame, known, box, str(path))


def _read_queries(folder: Path) -> Iterable[Sample]:
    path = folder / QUERIES
    for number, line in enumerate(read_lines(path), start=1):
        match = _QUERY.fullmatch(line.strip())
        if match and _FRAME.fullmatch(frame := match["frame"].removesuffix(".jpg")):
            box = [float(text) for text in match["box"].split()]
            yield _sample(folder, frame, int(match["pid"]), box, f"line {number} of {path}")
        elif line.strip():
            raise ValueError(
                f"line {number} of {path} reads {quoted(line.strip())}: expected a person, x, y, width, "
                f"height and a frame, such as '479 757.9 246.5 46.5 129.1 c1s3_016471'; {AGAIN}"
            )


def _sample(folder: Path, frame: str, pid: int, box: Sequence[float], where: str) -> Sample:
    """Return a sample; the box is x, y, width and height in pixels."""
    corners = corners_of(box)
    if corners is None:
        raise ValueError(f"{where} has an empty box {list(box)}: expected x, y, width and height; {AGAIN}")
    return Sample(_path(folder, frame), pid, _camera(frame), corners)


def _path(folder: Path, frame: str) -> str:
    return os.path.join(folder, "frames", f"{frame}.jpg")


def _camera(frame: str) -> int:
    return int(frame[1]) - 1
