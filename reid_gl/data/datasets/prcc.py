"""PRCC: people seen by two cameras in the same clothes, and by a third one in others."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.class_images import list_folders
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("prcc", "PRCC")
CAMERAS = ("A", "B", "C")
OTHER_CLOTHES = "C"
"""The camera before which everybody wears other clothes than before A and B."""
NUM_DRAWS = 10
PUBLISHED = SplitCounts(
    training_images=17_896,
    training_identities=150,
    query_images=3_543 + 3_873,
    query_identities=71,
    gallery_images=3_384,
)
VARIANTS = tuple((f"{top}train", *(f"{top}test/{camera}" for camera in CAMERAS)) for top in ("rgb/", ""))
TREE = """\
prcc/
    rgb/
        train/    001/A_cropped_rgb001.jpg …  (a folder for each person, the camera in the name)
        test/
            A/    002/cropped_rgb001.jpg …    the gallery
            B/    002/…                       queries in the same clothes
            C/    002/…                       queries in other clothes"""

_NAME = re.compile("[ABC]")


def load_prcc(root: str | Path, *, single_shot: bool = False) -> ReidDataset:
    """Load PRCC's colour images; no image is opened.

    Camera A of the test people is the gallery; B (same clothes) and C (other clothes) are the queries. The
    paper's two settings are the protocols "same_clothes" and "clothes_changing". The folder val, further
    images of the training people, is left out.

    Args:
        root: the data folder, its parent, or a part of it.
        single_shot: search ten drawn galleries of one image of each person, as the paper does. The draws are
            our own (numpy's default generator, seeded with the number of the draw), because no list of the
            paper's is known. False searches all images of camera A.

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: a folder is missing or contains no image.
        ValueError: a folder does not have the number of a person, or the name of a training image does not
            begin with its camera.

    Source: Yang, Wu, Zheng, "Person Re-identification by Contour Sketch under Moderate Clothing Change",
    TPAMI 2021.
    """
    folder, (train, *tests) = find_folder(root, Layout("PRCC", FOLDER_NAMES, VARIANTS, TREE))
    gallery, same, other = (
        tuple(
            _sample(os.path.join(own, name), pid, camera)
            for pid, own in _list_people(folder / part)
            for name in list_images(own)
        )
        for camera, part in zip(CAMERAS, tests, strict=True)
    )
    training = tuple(
        _sample(path, pid, match[0])
        for pid, own in _list_people(folder / train)
        for path, match in match_names(
            own, list_images(own), _NAME, "{camera}…, such as A_cropped_rgb001.jpg"
        )
    )
    name, draws = ("prcc_single_shot", _draw(gallery)) if single_shot else ("prcc", ())
    dataset = ReidDataset(training, same + other, gallery, name, draws=draws)
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _list_people(folder: Path) -> list[tuple[int, Path]]:
    """Return number and folder of each person, by name."""
    names = list_folders(folder)
    wrong = [name for name in names if not re.fullmatch(r"0*[1-9]\d{0,8}", name)]
    if wrong:
        raise ValueError(
            f"folder {wrong[0]!r} in {folder} names no person: expected a number from 1, such as 001; rename "
            "it or move it out of this folder"
        )
    return [(int(name), folder / name) for name in names]


def _draw(gallery: Sequence[Sample]) -> tuple[tuple[int, ...], ...]:
    """Return for each draw the place of one image of each person."""
    places = defaultdict(list)
    for place, sample in enumerate(gallery):
        places[sample.pid].append(place)
    draws = []
    for seed in range(NUM_DRAWS):
        rng = np.random.default_rng(seed)
        draws.append(tuple(own[rng.integers(len(own))] for own in places.values()))
    return tuple(draws)


def _sample(path: str, pid: int, camera: str) -> Sample:
    return Sample(path, pid, CAMERAS.index(camera), clothes=2 * pid + (camera == OTHER_CLOTHES))
