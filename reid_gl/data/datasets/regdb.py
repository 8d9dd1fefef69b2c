"""RegDB: visible and thermal images of the same people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.image_lists import place_inside
from reid_gl.data.datasets.reading.splits import check_split
from reid_gl.records import ReidDataset, Sample
from reid_gl.untrusted.regular_file import quoted, read_lines

FOLDER_NAMES = ("RegDB", "RegDB_01")
KINDS = ("visible", "thermal")
"""Cameras 0 and 1."""
NUM_SPLITS = 10
PUBLISHED = SplitCounts(
    training_images=4_120,
    training_identities=206,
    query_images=2_060,
    query_identities=206,
    gallery_images=2_060,
)
TREE = """\
RegDB/
    Visible/    1/male_back_v_00001_1.bmp …
    Thermal/    1/male_back_t_00001_1.bmp …
    idx/        train_visible_1.txt  train_thermal_1.txt  test_visible_1.txt  test_thermal_1.txt
                the same for 2 to 10: a path and a person's number in each line"""

_LINE = re.compile(r"(?P<path>\S+)\s+(?P<pid>\d{1,9})")


def load_regdb(root: str | Path, *, query: str, split: int = 0) -> ReidDataset:
    """Load one of RegDB's ten splits in one direction; no image is opened.

    Half of the 412 people are for training, with both kinds of images. Published scores are means over the
    ten splits. The lists number the people of the training set and of the test set from 0 each: the identity
    is the number + 1, for test people + 1 + the highest number of the training set.

    Args:
        root: the data folder, its parent, or one of its folders.
        query: "visible" searches for visible images among thermal ones, "thermal" the other way round.
        split: 0 to 9, the authors' trials 1 to 10.

    Returns:
        The data set, each part in the order of its list.

    Raises:
        FileNotFoundError: folders or lists are missing, or a listed image is missing.
        ValueError: the split does not exist, or a line does not give an image and its person.

    Source: Nguyen, Hong, Kim, Park, "Person Recognition System Based on a Combination of Body Images from
    Visible Light and Thermal Cameras", Sensors 2017; splits by Ye et al., "Hierarchical Discriminative
    Learning for Visible Thermal Person Re-Identification", AAAI 2018.
    """
    check_split(split, NUM_SPLITS, "RegDB")
    lists = [f"idx/{part}_{kind}_{split + 1}.txt" for part in ("train", "test") for kind in KINDS]
    folder, _ = find_folder(root, Layout("RegDB", FOLDER_NAMES, (("Visible", "Thermal", *lists),), TREE))
    parts = [_read_list(folder, name, camera) for camera, name in zip((0, 1, 0, 1), lists, strict=True)]
    require_files([sample.path for part in parts for sample in part], f"the lists of {folder / 'idx'}")
    train = parts[0] + parts[1]
    offset = 1 + max((sample.pid for sample in train), default=-1)
    tested = [[replace(sample, pid=sample.pid + offset) for sample in part] for part in parts[2:]]
    asking = KINDS.index(query)
    other = KINDS[1 - asking]
    dataset = ReidDataset(
        _from_one(train),
        _from_one(tested[asking]),
        _from_one(tested[1 - asking]),
        f"regdb_{query}_to_{other}",
    )
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _from_one(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    return tuple(replace(sample, pid=sample.pid + 1) for sample in samples)


def _read_list(folder: Path, name: str, camid: int) -> list[Sample]:
    samples = []
    for number, line in enumerate(read_lines(folder / name), start=1):
        match = _LINE.fullmatch(line.strip())
        if match:
            path = place_inside(folder, match["path"], f"line {number} of {folder / name}")
            samples.append(Sample(path, int(match["pid"]), camid))
        elif line.strip():
            raise ValueError(
                f"line {number} of {folder / name} reads {quoted(line.strip())}: expected an image and a "
                "person's number, such as 'Visible/1/male_back_v_00001_1.bmp 0'; take the list from the data "
                "set again"
            )
    return samples
