"""i-LIDS-VID."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.mat_files import read_whole_numbers
from reid_gl.data.datasets.reading.splits import check_split
from reid_gl.data.datasets.reading.tracklet_folders import list_people, read_sequences
from reid_gl.records import ReidDataset

FOLDER_NAMES = ("iLIDS-VID", "i-LIDS-VID", "ilidsvid")
CAMERAS = ("sequences/cam1", "sequences/cam2")
SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"
VARIANTS = ((*(f"i-LIDS-VID/{camera}" for camera in CAMERAS), SPLITS), (*CAMERAS, SPLITS))
TREE = f"""\
iLIDS-VID/
    i-LIDS-VID/sequences/
        cam1/    person001/cam1_person001_00317.png …
        cam2/    person001/cam2_person001_00187.png …
    {SPLITS}"""


def load_ilids_vid(root: str | Path, *, split: int = 0) -> ReidDataset:
    """Load one of the ten official splits of i-LIDS-VID, with 150 of 300 people to test; opens no image.

    The first half of a row of the split file lists the test people. Their sequences in camera 1 are the
    queries, those in camera 2 the gallery. Published scores are means over the ten splits.

    Args:
        root: the data folder, its parent, or a part of it.
        split: row of the split file, 0 to 9.

    Returns:
        The data set, one sample per frame, each part sorted by path; `tracklet` numbers the sequences.

    Raises:
        FileNotFoundError: folders or split file are missing, or a folder contains no image.
        ValueError: the split does not exist, the split file is broken or lists other people, a person does
            not appear in both cameras, or a folder name does not give the person.

    Source: Wang, Gong, Zhu, Wang, "Person Re-identification by Video Ranking", ECCV 2014.
    """
    folder, variant = find_folder(root, Layout("i-LIDS-VID", FOLDER_NAMES, VARIANTS, TREE))
    cameras = [list_people(folder / camera) for camera in variant[:-1]]
    alone = sorted(cameras[0].keys() ^ cameras[1].keys())
    if alone:
        raise ValueError(
            f"{len(alone)} people of {folder} appear in only one camera, the first is person {alone[0]}: "
            "expected every person in both; unpack the data set again"
        )
    people = list(cameras[0])
    test = _test_people(folder / variant[-1], people, split)
    samples = read_sequences(cameras, people)
    tested = [sample for sample in samples if sample.pid in test]
    return ReidDataset(
        tuple(sample for sample in samples if sample.pid not in test),
        tuple(sample for sample in tested if sample.camid == 0),
        tuple(sample for sample in tested if sample.camid == 1),
        "ilids_vid",
    )


def _test_people(path: Path, people: list[int], split: int) -> frozenset[int]:
    """Identities of the test people; the file numbers the sorted people from 1."""
    rows = read_whole_numbers(path, "ls_set", columns=len(people))
    check_split(split, len(rows), "i-LIDS-VID")
    if (np.sort(rows[split]) != np.arange(1, len(people) + 1)).any():
        raise ValueError(
            f"row {split + 1} of {path} does not list each of the {len(people)} people once: take the file "
            "from the data set again"
        )
    return frozenset(people[place - 1] for place in rows[split, : len(people) // 2].tolist())
