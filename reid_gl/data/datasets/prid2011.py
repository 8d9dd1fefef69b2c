"""PRID 2011, its sequences of frames."""

from __future__ import annotations

import logging
from pathlib import Path

from reid_gl.data.datasets.own.folders import Layout, find_folder
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.data.datasets.reading.splits import split_in_halves
from reid_gl.data.datasets.reading.tracklet_folders import list_people, read_sequences
from reid_gl.records import ReidDataset

logger = logging.getLogger(__name__)

FOLDER_NAMES = ("prid_2011", "prid2011", "prid-2011", "prid")
CAMERAS = ("multi_shot/cam_a", "multi_shot/cam_b")
TREE = """\
prid_2011/
    multi_shot/
        cam_a/    person_0001/0001.png …
        cam_b/    person_0001/0001.png …"""
NUM_SHARED = 200
"""Up to this number, the two cameras call the same person the same; beyond it, two different people."""
MIN_FRAMES = 27
"""Shorter sequences are left out; 21 would leave 183 people."""
PUBLISHED_PEOPLE = 178


def load_prid2011(root: str | Path, *, split: int = 0) -> ReidDataset:
    """Load the sequences of PRID 2011: 89 people to train, 89 others to test; opens no picture.

    As is usual, only the 178 people take part who have at least 27 frames in both cameras. The set brings no
    splits; these are our own draws (see split_in_halves), so single splits cannot be compared with those of
    other programs, only means over several.

    Args:
        root: the data folder, its parent, or a part of it.
        split: 0 to 9, camera A searched for in camera B; 10 to 19, the same people the other way round.

    Returns:
        The data set, a sample for every frame, each part sorted by path; `tracklet` numbers the sequences.

    Raises:
        FileNotFoundError: the folders are not there, or one holds no picture.
        ValueError: no such split, or a folder whose name does not say whom it shows.

    Source: Hirzer, Beleznai, Roth, Bischof, "Person Re-Identification by Descriptive and Discriminative
    Classification", SCIA 2011; the choice of people by Wang, Gong, Zhu, Wang, "Person Re-identification by
    Video Ranking", ECCV 2014.
    """
    folder, _ = find_folder(root, Layout("PRID 2011", FOLDER_NAMES, (CAMERAS,), TREE))
    cameras = [list_people(folder / camera) for camera in CAMERAS]
    shared = [person for person in cameras[0] if person in cameras[1] and person <= NUM_SHARED]
    samples = read_sequences(cameras, shared, min_frames=MIN_FRAMES)
    dataset = split_in_halves(samples, split=split, name="prid2011")
    num_people = len({sample.pid for sample in samples})
    if num_people != PUBLISHED_PEOPLE:
        warn_once(
            logger,
            f"prid2011: {num_people} people have {MIN_FRAMES} frames or more in both cameras (published "
            f"{PUBLISHED_PEOPLE}) in {folder}; the scores cannot be compared with published ones",
        )
    return dataset
