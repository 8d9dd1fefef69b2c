"""CUHK-SYSU, person search: photographs and scenes of films with the boxes of their people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reid_gl.data.datasets.own.detections import MIN_SCORE, read_detections
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.image_lists import AGAIN
from reid_gl.data.datasets.reading.person_search import (
    Corners,
    corners_of,
    make_search,
    read_box,
    read_structures,
    read_text,
)
from reid_gl.records import DISTRACTOR_PID, ReidDataset, Sample, SceneSearch
from reid_gl.untrusted.matlab import read_matlab

FOLDER_NAMES = ("CUHK-SYSU", "CUHK_SYSU", "cuhksysu")
FRAMES = "Image/SSM"
IMAGES, POOL = "annotation/Images.mat", "annotation/pool.mat"
TESTS = "annotation/test/train_test"
TRAIN = f"{TESTS}/Train.mat"
DEFAULT_SIZE = 100
GALLERY_SIZES = (50, 100, 500, 1_000, 2_000, 4_000)
"""Images in the gallery of a query. Each size has a file; queries and their true boxes are the same."""
PUBLISHED = SplitCounts(
    training_images=None,
    training_identities=5_532,
    query_images=2_900,
    query_identities=2_900,
    gallery_images=None,
    gallery_distractors=None,
)
TREE = """\
CUHK-SYSU/
    Image/SSM/     s1.jpg … (whole images)
    annotation/
        Images.mat  pool.mat
        test/train_test/    Train.mat  TestG50.mat  TestG100.mat …"""

_FRAME = re.compile(r"[\w-]{1,60}\.\w{1,8}")

Labels = dict[tuple[str, Corners], int]
"""Identities of the boxes of images."""


@dataclass(frozen=True)
class _Query:
    """A query of a TestG file, whose person has a number of her own.

    Attributes:
        entry: image and box of the query.
        searched: the images of its list, up to 4,000.
        boxes: the box of the person in those that show her.
    """

    entry: tuple[str, Corners]
    searched: tuple[str, ...]
    boxes: dict[str, Corners]


def load_cuhk_sysu(
    root: str | Path,
    *,
    gallery_size: int | None = DEFAULT_SIZE,
    detections: str | Path = "",
    min_detection_score: float = MIN_SCORE,
) -> ReidDataset:
    """Load CUHK-SYSU with its protocol of person search; no image is opened.

    Training uses the labelled boxes of the training set. Each query searches the images that TestG100.mat (or
    another size) lists for it. The gallery is every box of the test set, true ones or those of a detector;
    people without a label are distractors. Cameras are unknown. Boxes without an area, known errors of the
    annotation, are left out.

    Args:
        root: the data folder, its parent, or a part of it.
        gallery_size: one of GALLERY_SIZES; None for all images of the test set but the query's own.
        detections: table of a detector's boxes in the images of the test set; empty for the true boxes.
        min_detection_score: see read_detections.

    Returns:
        The data set. Identities are the places of people in Train.mat, from 1, and after them those of the
        queries.

    Raises:
        FileNotFoundError: folders or files are missing.
        ValueError: an annotation file or the detections are broken.

    Source: Xiao, Li, Wang, Lin, Wang, "Joint Detection and Identification Feature Learning for Person
        Search", CVPR 2017.
    """
    test_name = f"TestG{gallery_size or GALLERY_SIZES[0]}"
    parts = (FRAMES, IMAGES, POOL, TRAIN, f"{TESTS}/{test_name}.mat")
    folder, _ = find_folder(root, Layout("CUHK-SYSU", FOLDER_NAMES, (parts,), TREE))
    train = _read_training_people(folder / TRAIN)
    queries = _read_queries(folder / TESTS / f"{test_name}.mat", test_name)
    pool = _read_pool(folder / POOL)
    frames = [*dict.fromkeys([*pool, *(name for query in queries for name in query.searched)])]
    first = 1 + max(train.values(), default=0)
    if detections:
        cameras = dict.fromkeys([_path(folder, name) for name in frames], -1)
        gallery = read_detections(detections, cameras, min_score=min_detection_score)
    else:
        gallery = _true_boxes(folder, set(frames), _label(queries, first))
    dataset = ReidDataset(
        tuple(Sample(_path(folder, name), pid, box=box) for (name, box), pid in train.items()),
        tuple(
            Sample(_path(folder, query.entry[0]), pid, box=query.entry[1])
            for pid, query in enumerate(queries, start=first)
        ),
        gallery,
        {DEFAULT_SIZE: "cuhk_sysu", None: "cuhk_sysu_all"}.get(gallery_size, f"cuhk_sysu_{gallery_size}"),
        search=_search(folder, queries, frames, gallery, all_frames=gallery_size is None),
    )
    samples = (*dataset.train, *dataset.query, *dataset.gallery)
    require_files([sample.path for sample in samples], f"the annotations of {folder}")
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _true_boxes(folder: Path, frames: set[str], labels: Labels) -> tuple[Sample, ...]:
    """Return the boxes of some images, those that the lists of queries know with their people."""
    entries = dict.fromkeys([*_read_all_boxes(folder / IMAGES), *labels])
    return tuple(
        Sample(_path(folder, name), labels.get((name, box), DISTRACTOR_PID), box=box)
        for name, box in entries
        if name in frames
    )


def _read_variable(path: Path, name: str) -> Any:  # noqa: ANN401 - scipy's arrays of any kind
    found = read_matlab(path, [name])
    if name not in found:
        raise ValueError(f"{path} has no variable {name!r}, so it is broken or another file; {AGAIN}")
    return found[name]


def _read_pool(path: Path) -> list[str]:
    """Return the names of the images of the test set."""
    return [_frame_name(cell, path) for cell in np.asarray(_read_variable(path, "pool"), object).ravel()]


def _read_all_boxes(path: Path) -> Iterator[tuple[str, Corners]]:
    """Yield image and corners of every box of every image that has an area."""
    for name, boxes in read_structures(_read_variable(path, "Img"), ("imname", "box"), f"Img in {path}"):
        frame = _frame_name(name, path)
        for (place,) in read_structures(boxes, ("idlocate",), f"{frame} in {path}"):
            corners = _corners(place, frame, path)
            if corners is not None:
                yield frame, corners


def _read_training_people(path: Path) -> Labels:
    labels: Labels = {}
    people = np.asarray(_read_variable(path, "Train"), object).ravel()
    for pid, person in enumerate(people, start=1):
        for (scenes,) in read_structures(person, ("scene",), f"person {pid} in {path}"):
            found = _read_scenes(scenes, f"person {pid}", path)
            labels.update({(name, box): pid for name, box in found if box is not None})
    return labels


def _read_queries(path: Path, variable: str) -> list[_Query]:
    queries = []
    rows = read_structures(_read_variable(path, variable), ("Query", "Gallery"), f"{variable} in {path}")
    for number, (query, gallery) in enumerate(rows, start=1):
        own = [(name, box) for name, box in _read_scenes(query, f"query {number}", path) if box is not None]
        if len(own) != 1:
            raise ValueError(f"query {number} in {path} has {len(own)} boxes: expected one; {AGAIN}")
        listed = _read_scenes(gallery, f"the gallery of query {number}", path)
        boxes = {name: box for name, box in reversed(listed) if box is not None}  # the first one counts
        queries.append(_Query(own[0], tuple(name for name, _ in listed), boxes))
    return queries


def _label(queries: Sequence[_Query], first: int) -> Labels:
    """Number the people of the queries, and return the numbers of their boxes."""
    labels: Labels = {}
    for pid, query in enumerate(queries, start=first):
        labels[query.entry] = pid
        labels.update(dict.fromkeys(query.boxes.items(), pid))
    return labels


def _search(
    folder: Path,
    queries: Sequence[_Query],
    frames: Sequence[str],
    gallery: Sequence[Sample],
    *,
    all_frames: bool,
) -> SceneSearch:
    """Return which of the frames each query searches: those of its list, or all but its own."""
    numbers = {name: number for number, name in enumerate(frames)}
    searched = np.full((len(queries), len(frames)), all_frames)
    targets: list[dict[int, Corners]] = []
    for row, query in zip(searched, queries, strict=True):
        if query.entry[0] in numbers:
            row[numbers[query.entry[0]]] = False
        row[[numbers[name] for name in query.searched]] = True
        targets.append({numbers[name]: box for name, box in query.boxes.items()})
    return make_search([_path(folder, name) for name in frames], gallery, searched, targets)


def _read_scenes(scenes: Any, who: str, path: Path) -> list[tuple[str, Corners | None]]:  # noqa: ANN401
    """Return the images of a list, each with the box of the person; None without the person."""
    found = []
    for name, place in read_structures(scenes, ("imname", "idlocate"), f"{who} in {path}"):
        frame = _frame_name(name, path)
        found.append((frame, _corners(place, frame, path)))
    return found


def _path(folder: Path, name: str) -> str:
    return os.path.join(folder, FRAMES, name)


def _frame_name(value: Any, path: Path) -> str:  # noqa: ANN401 - scipy's arrays of any kind
    name = read_text(value)
    if not _FRAME.fullmatch(name):
        raise ValueError(f"{path} names an image {name!r}: expected a name such as 's1.jpg'; {AGAIN}")
    return sys.intern(name)  # the lists name each image thousands of times


def _corners(value: Any, frame: str, path: Path) -> Corners | None:  # noqa: ANN401
    box = read_box(value, f"{frame} in {path}")
    return None if box is None else corners_of(box)
