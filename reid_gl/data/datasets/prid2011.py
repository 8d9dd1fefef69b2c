"""PRID 2011, the multi-shot version: sequences of frames."""

from __future__ import annotations

import logging
from pathlib import Path

from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.data.datasets.reading.split_files import find_split_file, read_split
from reid_gl.data.datasets.reading.splits import split_in_halves
from reid_gl.data.datasets.reading.tracklet_folders import list_people, read_sequences
from reid_gl.records import ReidDataset

logger = logging.getLogger(__name__)

FOLDER_NAMES = ("prid_2011", "prid2011", "prid-2011", "prid")
CAMERAS = ("multi_shot/cam_a", "multi_shot/cam_b")
SINGLE = ("single_shot/cam_a", "single_shot/cam_b")
TREE = """\
prid_2011/
    multi_shot/
        cam_a/    person_0001/0001.png …
        cam_b/    person_0001/0001.png …"""
NUM_SHARED = 200
"""Up to this number, both cameras use the same number for the same person; above, the people differ."""
MIN_FRAMES = 27
"""Shorter sequences are left out; a minimum of 21 frames would leave 183 people."""
PUBLISHED_PEOPLE = 178


SPLITS_FILE = "splits_prid2011.json"


def load_prid2011(root: str | Path, *, split: int = 0, community: bool = False) -> ReidDataset:
    """Load the sequences of PRID 2011: 89 people for training, 89 others for testing; opens no image.

    As is usual, only the 178 people with at least 27 frames in both cameras take part. The set defines no
    splits. These are random draws of our own (see split_in_halves): compare means over several splits with
    other programs, not single splits. Or they are the community's, of splits_prid2011.json.

    Args:
        root: the data folder, its parent, or a part of it.
        split: 0 to 9 search for camera A in camera B; 10 to 19 use the same people the other way round. With
            the community's splits, number of the split in the file; all search for camera A in camera B.
        community: read the splits from splits_prid2011.json, in the set's folder or the one above.

    Returns:
        The data set, one sample per frame, each part sorted by path; `tracklet` numbers the sequences.

    Raises:
        FileNotFoundError: the folders or the file of splits are missing, or a folder contains no image.
        ValueError: the split does not exist, the file of splits is broken, or a folder name does not give
            the person.

    Source: Hirzer, Beleznai, Roth, Bischof, "Person Re-Identification by Descriptive and Discriminative
    Classification", SCIA 2011; the choice of people by Wang, Gong, Zhu, Wang, "Person Re-identification by
    Video Ranking", ECCV 2014.
    """
    folder, cameras_found = find_folder(root, Layout("PRID 2011", FOLDER_NAMES, (CAMERAS, SINGLE), TREE))
    if cameras_found == SINGLE:
        raise FileNotFoundError(
            f"{folder} holds only single_shot, one image per person, but prid2011 reads the sequences: "
            "unpack multi_shot of the same release next to it"
        )
    cameras = [list_people(folder / camera) for camera in CAMERAS]
    shared = [person for person in cameras[0] if person in cameras[1] and person <= NUM_SHARED]
    if community:
        return _load_community(folder, cameras, split)
    samples = read_sequences(cameras, shared, min_frames=MIN_FRAMES)
    dataset = split_in_halves(samples, split=split, name="prid2011")
    num_people = len({sample.pid for sample in samples})
    if num_people != PUBLISHED_PEOPLE:
        warn_once(
            logger,
            f"prid2011: {num_people} people have at least {MIN_FRAMES} frames in both cameras (published "
            f"{PUBLISHED_PEOPLE}) in {folder}; the scores cannot be compared with published ones",
        )
    return dataset


def _load_community(folder: Path, cameras: list[dict[int, Path]], split: int) -> ReidDataset:
    """Load one of the splits of SPLITS_FILE, which lists the folders of people."""
    path = find_split_file(folder, SPLITS_FILE, "PRID 2011")
    lists = read_split(path, ("train", "test"), split, "PRID 2011")
    people: dict[str, list[int]] = {}
    for part, names in lists.items():
        numbers = [str(name).removeprefix("person_") for name in names]
        known = [
            number.isdecimal() and all(int(number) in camera for camera in cameras) for number in numbers
        ]
        if not names or not all(known):
            wrong = names[known.index(False)] if names else "nobody"
            raise ValueError(
                f"split {split} of {path} lists {wrong!r} in {part}: expected folders of people that both "
                "cameras have, such as 'person_0001'"
            )
        people[part] = [int(number) for number in numbers]
    samples = read_sequences(cameras, sorted({*people["train"], *people["test"]}))
    tested = [sample for sample in samples if sample.pid in set(people["test"])]
    dataset = ReidDataset(
        tuple(sample for sample in samples if sample.pid in set(people["train"])),
        tuple(sample for sample in tested if sample.camid == 0),
        tuple(sample for sample in tested if sample.camid == 1),
        "prid2011_community",
    )
    check_disjoint(dataset, str(path))
    return dataset
