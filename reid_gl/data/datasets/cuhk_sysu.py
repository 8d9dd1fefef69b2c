"""CUHK-SYSU, person search: photographs and scenes of films with the boxes of their people."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.image_lists import AGAIN
from reid_gl.data.datasets.reading.person_search import (
    Corners,
    corners_of,
    read_box,
    read_structures,
    read_text,
)
from reid_gl.records import DISTRACTOR_PID, ReidDataset, Sample
from reid_gl.untrusted.matlab import read_matlab

FOLDER_NAMES = ("CUHK-SYSU", "CUHK_SYSU", "cuhksysu")
FRAMES = "Image/SSM"
IMAGES, POOL = "annotation/Images.mat", "annotation/pool.mat"
TRAIN, TEST = "annotation/test/train_test/Train.mat", "annotation/test/train_test/TestG50.mat"
"""The files TestG50 to TestG4000 have the same queries, and each all other boxes of their people."""
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
        test/train_test/    Train.mat  TestG50.mat"""

_FRAME = re.compile(r"[\w-]{1,60}\.\w{1,8}")

Labels = dict[tuple[str, Corners], int]
"""Identities of the boxes of images."""


@dataclass(frozen=True)
class _Listed:
    """People of Train.mat or TestG50.mat.

    Attributes:
        labels: identity of each of their boxes.
        queries: image and box of each query; empty for the training set.
    """

    labels: Labels
    queries: tuple[tuple[str, Corners], ...] = ()


def load_cuhk_sysu(root: str | Path) -> ReidDataset:
    """Load the people of CUHK-SYSU by their true boxes; no image is opened.

    Training uses the labelled boxes of the training set. The gallery is every box of every image of the
    test set; people without a label are distractors. Cameras are unknown, so there is no camera rule. This is
    re-identification of true boxes in the whole test set: scores of person search, which detect people and
    give each query a gallery of 100 images, are others. Boxes without an area, known errors of the
    annotation, are left out.

    Args:
        root: the data folder, its parent, or a part of it.

    Returns:
        The data set. Identities are the places of people in Train.mat, from 1, and after them those of
        TestG50.mat.

    Raises:
        FileNotFoundError: folders or files are missing.
        ValueError: an annotation file is broken.

    Source: Xiao, Li, Wang, Lin, Wang, "Joint Detection and Identification Feature Learning for Person
        Search", CVPR 2017.
    """
    folder, _ = find_folder(
        root, Layout("CUHK-SYSU", FOLDER_NAMES, ((FRAMES, IMAGES, POOL, TRAIN, TEST),), TREE)
    )
    train = _read_training_people(folder / TRAIN)
    test = _read_test_people(folder / TEST, first=1 + max(train.labels.values(), default=0))
    pool = set(_read_pool(folder / POOL))
    boxes = [entry for entry in _read_all_boxes(folder / IMAGES) if entry[0] in pool]
    frames = folder / FRAMES

    def sample(entry: tuple[str, Corners], pid: int) -> Sample:
        return Sample(os.path.join(frames, entry[0]), pid, box=entry[1])

    dataset = ReidDataset(
        tuple(sample(entry, pid) for entry, pid in train.labels.items()),
        tuple(sample(entry, test.labels[entry]) for entry in test.queries),
        tuple(
            sample(entry, test.labels.get(entry, DISTRACTOR_PID))
            for entry in dict.fromkeys([*boxes, *test.labels])
        ),
        "cuhk_sysu",
    )
    everything = (*dataset.train, *dataset.query, *dataset.gallery)
    require_files([sample.path for sample in everything], f"the annotations of {folder}")
    check_counts(dataset, PUBLISHED, folder)
    return dataset


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


def _read_training_people(path: Path) -> _Listed:
    labels: Labels = {}
    people = np.asarray(_read_variable(path, "Train"), object).ravel()
    for pid, person in enumerate(people, start=1):
        for (scenes,) in read_structures(person, ("scene",), f"person {pid} in {path}"):
            labels.update(dict.fromkeys(_read_scenes(scenes, f"person {pid}", path), pid))
    return _Listed(labels)


def _read_test_people(path: Path, *, first: int) -> _Listed:
    labels: Labels = {}
    queries = []
    people = read_structures(_read_variable(path, "TestG50"), ("Query", "Gallery"), f"TestG50 in {path}")
    for pid, (query, gallery) in enumerate(people, start=first):
        own = _read_scenes(query, f"query {pid - first + 1}", path)
        if len(own) != 1:
            raise ValueError(f"query {pid - first + 1} in {path} has {len(own)} boxes: expected one; {AGAIN}")
        queries += own
        found = [*own, *_read_scenes(gallery, f"the gallery of query {pid - first + 1}", path)]
        labels.update(dict.fromkeys(found, pid))
    return _Listed(labels, tuple(queries))


def _read_scenes(scenes: Any, who: str, path: Path) -> list[tuple[str, Corners]]:  # noqa: ANN401
    """Return image and corners of each box of a person; images without the person have no box."""
    found = []
    for name, place in read_structures(scenes, ("imname", "idlocate"), f"{who} in {path}"):
        frame = _frame_name(name, path)
        corners = _corners(place, frame, path)
        if corners is not None:
            found.append((frame, corners))
    return found


def _frame_name(value: Any, path: Path) -> str:  # noqa: ANN401 - scipy's arrays of any kind
    name = read_text(value)
    if not _FRAME.fullmatch(name):
        raise ValueError(f"{path} names an image {name!r}: expected a name such as 's1.jpg'; {AGAIN}")
    return name


def _corners(value: Any, frame: str, path: Path) -> Corners | None:  # noqa: ANN401
    box = read_box(value, f"{frame} in {path}")
    return None if box is None else corners_of(box)
