"""PKU VehicleID."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.splits import NUM_DRAWS, check_split
from reid_gl.data.datasets.reading.vehicle_lists import read_vehicle_list
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("VehicleID_V1.0", "VehicleID")
TRAIN_LIST = "train_test_split/train_list.txt"
TEST_LISTS = {
    "small": "train_test_split/test_list_800.txt",
    "medium": "train_test_split/test_list_1600.txt",
    "large": "train_test_split/test_list_2400.txt",
}
TREE = """\
VehicleID_V1.0/
    image/               0000001.jpg …
    train_test_split/    train_list.txt  test_list_800.txt  test_list_1600.txt  test_list_2400.txt"""


def load_vehicle_id(root: str | Path, *, size: str, split: int = 0) -> ReidDataset:
    """Load VehicleID; no image is opened.

    The gallery is one image of each test vehicle, and all its other images are queries. The set does not
    define the gallery. It is a random draw of our own (numpy's default generator, seeded with the split):
    compare means over several splits. Cameras are unknown. The lists may number vehicles from 0, which means
    a distractor here, so the identity is the number in the list + 1.

    Args:
        root: the data folder, its parent, or a part of it.
        size: "small" (800 test vehicles), "medium" (1,600) or "large" (2,400).
        split: number of the gallery draw, 0 to 9.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: images or lists are missing.
        ValueError: the size is unknown, the split does not exist, a line does not give an image and a
            vehicle, or a vehicle is in both training and test set.

    Source: Liu, Tian, Wang, Pang, Huang, "Deep Relative Distance Learning: Tell the Difference Between
    Similar Vehicles", CVPR 2016.
    """
    if size not in TEST_LISTS:
        raise ValueError(f"unknown size {size!r} of VehicleID: expected one of {', '.join(TEST_LISTS)}")
    check_split(split, NUM_DRAWS, "VehicleID")
    variant = ("image", TRAIN_LIST, TEST_LISTS[size])
    folder, _ = find_folder(root, Layout("VehicleID", FOLDER_NAMES, (variant,), TREE))
    train, test = (_read_list(folder / name, folder / variant[0]) for name in variant[1:])
    shown = _draw_gallery(test, split)
    query = tuple(sample for sample in test if sample.path not in shown)
    gallery = tuple(sample for sample in test if sample.path in shown)
    dataset = ReidDataset(train, query, gallery, f"vehicle_id_{size}")
    check_disjoint(dataset, str(folder))
    require_files([sample.path for sample in train + test], f"the lists of {folder}")
    return dataset


def _read_list(path: Path, images: Path) -> tuple[Sample, ...]:
    """Samples of a list, by file name."""
    rows = read_vehicle_list(path, r"(?P<image>\w+)\s+(?P<vehicle>\d+)", example="0000001 11")
    samples = (
        Sample(os.path.join(images, f"{name}.jpg"), int(row["vehicle"]) + 1) for name, row in rows.items()
    )
    return tuple(sorted(samples, key=lambda sample: sample.path))


def _draw_gallery(test: tuple[Sample, ...], split: int) -> frozenset[str]:
    """Paths of the gallery: one random image of each vehicle."""
    images: dict[int, list[str]] = defaultdict(list)
    for sample in test:
        images[sample.pid].append(sample.path)
    generator = np.random.default_rng(split)
    return frozenset(images[pid][generator.integers(len(images[pid]))] for pid in sorted(images))
