"""QMUL i-LIDS: single images from an airport."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.data.datasets.reading.splits import NUM_DRAWS, check_split
from reid_gl.records import ReidDataset, Sample

logger = logging.getLogger(__name__)

FOLDER_NAMES = ("i-LIDS_Pedestrian", "i-LIDS", "ilids")
IMAGES = "Persons"
PUBLISHED_IMAGES, PUBLISHED_PEOPLE = 476, 119
TREE = """\
i-LIDS_Pedestrian/
    Persons/    0001001.jpg … ({person, 4 digits}{image, 3 digits})"""

_NAME = re.compile(r"(\d{4})\d{3}\.")


def load_ilids(root: str | Path, *, split: int = 0) -> ReidDataset:
    """Load i-LIDS: half of its 119 people (rounded down) for training, the others for testing.

    Of each test person, one image is drawn as the query and one as the gallery. The set says neither cameras
    nor splits: cameras are unknown, and the splits are random draws of our own (numpy's default generator,
    seeded with the number of the split). Compare means over all ten. The identity is the number in the name
    + 1. No image is opened.

    Args:
        root: the data folder, its parent, or the folder of the images.
        split: 0 to 9.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: the folder is missing or contains no image.
        ValueError: the split does not exist, a file name does not give the person, or a person has a single
            image.

    Source: Zheng, Gong, Xiang, "Associating Groups of People", BMVC 2009.
    """
    check_split(split, NUM_DRAWS, "i-LIDS")
    folder, _ = find_folder(root, Layout("i-LIDS", FOLDER_NAMES, ((IMAGES,),), TREE))
    groups: dict[int, list[Sample]] = defaultdict(list)
    names = list_images(folder / IMAGES)
    expected = "{person, 4 digits}{image, 3 digits}.jpg, such as 0001001.jpg"
    for path, match in match_names(folder / IMAGES, names, _NAME, expected):
        groups[int(match[1]) + 1].append(Sample(path, int(match[1]) + 1))
    alone = [pid for pid, own in groups.items() if len(own) < 2]
    if alone:
        raise ValueError(
            f"{len(alone)} people in {folder} have a single image, the first is {alone[0] - 1:04d}: expected "
            "two or more; unpack the data set again"
        )
    rng = np.random.default_rng(split)
    people = rng.permutation(sorted(groups)).tolist()
    training = set(people[: len(people) // 2])
    drawn = {pid: rng.choice(len(groups[pid]), 2, replace=False) for pid in sorted(set(people) - training)}
    query, gallery = (tuple(groups[pid][places[side]] for pid, places in drawn.items()) for side in (0, 1))
    train = tuple(sample for pid, own in groups.items() if pid in training for sample in own)
    dataset = ReidDataset(train, query, gallery, "ilids")
    if (len(names), len(groups)) != (PUBLISHED_IMAGES, PUBLISHED_PEOPLE):
        warn_once(
            logger,
            f"ilids: {len(names)} images of {len(groups)} people (published {PUBLISHED_IMAGES} of "
            f"{PUBLISHED_PEOPLE}) in {folder}; the scores cannot be compared with published ones",
        )
    return dataset
