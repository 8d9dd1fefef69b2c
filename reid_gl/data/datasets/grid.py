"""GRID, the underground re-identification set of Queen Mary University of London."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.mat_files import BROKEN
from reid_gl.data.datasets.reading.splits import check_split
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("underground_reid", "GRID")
PARTITIONS = "features_and_partitions.mat"
NUM_SPLITS = 10
PUBLISHED = SplitCounts(
    training_images=250,
    training_identities=125,
    query_images=125,
    query_identities=125,
    gallery_images=900,
    gallery_distractors=775,
)
TREE = """\
underground_reid/
    probe/      0001_1_25004_107_32_106_221.jpeg … ({identity}_{camera}_…)
    gallery/    0000 is a distractor
    features_and_partitions.mat"""

_NAME = re.compile(r"(\d+)_0*([1-9]\d*)_")
_EXPECTED = "{identity}_{camera, from 1}_…, such as 0001_1_25004_107_32_106_221.jpeg"


def load_grid(root: str | Path, *, split: int = 0) -> ReidDataset:
    """Load one of the ten official partitions of GRID; no image is opened.

    125 of 250 people train, with both of their images. The other people are queries (folder probe), searched
    for in the gallery (folder gallery), which also has 775 images of unknown people (identity 0:
    distractors).

    Args:
        root: the data folder, its parent, or one of its folders.
        split: number of the partition, 0 to 9.

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: a folder or the partition file is missing.
        ValueError: the split does not exist, an image name does not give identity and camera, or the
            partition file does not fit the images.

    Source: Loy, Xiang, Gong, "Multi-Camera Activity Correlation Analysis", CVPR 2009.
    """
    check_split(split, NUM_SPLITS, "GRID")
    folder, _ = find_folder(root, Layout("GRID", FOLDER_NAMES, (("probe", "gallery", PARTITIONS),), TREE))
    probe, gallery = (_read_folder(folder / part) for part in ("probe", "gallery"))
    training = _read_partition(folder / PARTITIONS, split)
    missing = sorted(training - {sample.pid for sample in probe})
    if missing:
        raise ValueError(
            f"{folder / PARTITIONS} trains on {len(missing)} people without an image in {folder / 'probe'}, "
            f"the first is {missing[0]}; unpack the data set again"
        )
    dataset = ReidDataset(
        tuple(sample for sample in gallery + probe if sample.pid in training),
        tuple(sample for sample in probe if sample.pid not in training),
        tuple(sample for sample in gallery if sample.pid not in training),
        "grid",
    )
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_folder(folder: Path) -> list[Sample]:
    """Samples of one folder, by file name."""
    return [
        Sample(path, int(match[1]), int(match[2]) - 1)
        for path, match in match_names(folder, list_images(folder), _NAME, _EXPECTED)
    ]


def _read_partition(path: Path, split: int) -> frozenset[int]:
    """Training people of one partition, in the third field of the structure in the partition's cell."""
    try:
        content = loadmat(path, variable_names=["trainIdxAll"])
    except BROKEN as error:
        raise ValueError(
            f"{path} cannot be read as a MATLAB file ({type(error).__name__}: {error}); "
            "unpack the data set again"
        ) from error
    cells = content.get("trainIdxAll", np.empty(0)).ravel()
    cell = np.asarray(cells[split] if len(cells) == NUM_SPLITS else 0).ravel()
    if len(cell.dtype.names or ()) < 3:
        raise ValueError(
            f"{path} has no partitions: expected trainIdxAll, {NUM_SPLITS} cells with a structure of three "
            "fields, the third of them the training people; unpack the data set again"
        )
    return frozenset(int(person) for person in cell[0][2].ravel())
