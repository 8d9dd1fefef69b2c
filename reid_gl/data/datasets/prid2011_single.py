"""PRID 2011, the single-shot version: one image of each person and camera."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.prid2011 import FOLDER_NAMES, NUM_SHARED
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.splits import NUM_DRAWS, split_in_halves
from reid_gl.records import ReidDataset, Sample

CAMERAS = ("single_shot/cam_a", "single_shot/cam_b")
PUBLISHED = SplitCounts(
    training_images=200, training_identities=100, query_images=100, query_identities=100, gallery_images=649
)
GALLERY_OF_A = 285
TREE = """\
prid_2011/
    single_shot/
        cam_a/    person_0001.png … person_0385.png
        cam_b/    person_0001.png … person_0749.png"""

_NAME = re.compile(r"person_0*([1-9]\d{0,8})\.")


def load_prid2011_single(root: str | Path, *, split: int = 0) -> ReidDataset:
    """Load PRID 2011's single images: 100 of the 200 shared people for training, 100 for testing.

    The gallery also holds everybody who was seen by the searched camera only: 549 people of camera B, or 185
    of camera A. The set defines no splits: these are random draws of our own (see split_in_halves). No image
    is opened.

    Args:
        root: the data folder, its parent, or a part of it.
        split: 0 to 9 search for camera A in camera B; 10 to 19 use the same people the other way round.

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: the folders are missing or contain no image.
        ValueError: the split does not exist, a file name does not give the person, or a shared person is
            missing in one camera.

    Source: Hirzer, Beleznai, Roth, Bischof, "Person Re-Identification by Descriptive and Discriminative
    Classification", SCIA 2011.
    """
    folder, _ = find_folder(root, Layout("PRID 2011 (single shot)", FOLDER_NAMES, (CAMERAS,), TREE))
    samples = [
        Sample(path, int(match[1]), camid)
        for camid, camera in enumerate(CAMERAS)
        for path, match in match_names(
            folder / camera,
            list_images(folder / camera),
            _NAME,
            "person_{number}.png, such as person_0001.png",
        )
    ]
    shared = [sample for sample in samples if sample.pid <= NUM_SHARED]
    dataset = split_in_halves(shared, split=split, name="prid2011_single")
    searched = 1 if split < NUM_DRAWS else 0
    strangers = [sample for sample in samples if sample.pid > NUM_SHARED and sample.camid == searched]
    gallery = sorted([*dataset.gallery, *strangers], key=lambda sample: sample.path)
    dataset = replace(dataset, gallery=tuple(gallery))
    published = PUBLISHED if searched else replace(PUBLISHED, gallery_images=GALLERY_OF_A)
    check_counts(dataset, published, folder)
    return dataset
