"""VERI-Wild."""

from __future__ import annotations

import os
from pathlib import Path

from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.vehicle_lists import read_vehicle_list
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("VERI-Wild", "VERI_Wild", "VERIWild")
SIZES = {"small": 3000, "medium": 5000, "large": 10000}
IMAGES, LISTS = "images", "train_test_split"
CAMERAS = f"{LISTS}/vehicle_info.txt"
TREE = """\
VERI-Wild/
    images/              00001/000001.jpg …
    train_test_split/    train_list.txt
                         test_3000.txt  test_3000_query.txt  and so on for 5000 and 10000
                         vehicle_info.txt
(or, in newer releases, train_list_start0.txt, test_3000_id.txt, test_3000_id_query.txt)"""


def load_veri_wild(root: str | Path, *, size: str) -> ReidDataset:
    """Load VERI-Wild; no image is opened.

    The vehicle is the number of the image folder. The numbers that newer lists add are not used, because
    they start again for the training set. Folders may be numbered from 0, which means a distractor here, so
    the identity is the folder's number + 1. Cameras are numbered as in vehicle_info.txt.

    Args:
        root: the data folder, its parent, or a part of it.
        size: "small" (3,000 test vehicles), "medium" (5,000) or "large" (10,000).

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: images or lists are missing.
        ValueError: the size is unknown, a line does not give an image, an image has no camera, or a vehicle
            is in both training and test set.

    Source: Lou, Bai, Liu, Wang, Duan, "VERI-Wild: A Large Dataset and a New Method for Vehicle
    Re-Identification in the Wild", CVPR 2019.
    """
    if size not in SIZES:
        raise ValueError(f"unknown size {size!r} of VERI-Wild: expected one of {', '.join(SIZES)}")
    names = (
        ("train_list.txt", f"test_{SIZES[size]}_query.txt", f"test_{SIZES[size]}.txt"),
        ("train_list_start0.txt", f"test_{SIZES[size]}_id_query.txt", f"test_{SIZES[size]}_id.txt"),
    )
    variants = tuple((IMAGES, CAMERAS, *(f"{LISTS}/{name}" for name in lists)) for lists in names)
    folder, variant = find_folder(root, Layout("VERI-Wild", FOLDER_NAMES, variants, TREE))
    cameras = _read_cameras(folder / CAMERAS)
    train, query, gallery = (_read_list(folder / name, folder / IMAGES, cameras) for name in variant[2:])
    dataset = ReidDataset(train, query, gallery, f"veri_wild_{size}")
    check_disjoint(dataset, str(folder))
    require_files([sample.path for sample in train + query + gallery], f"the lists of {folder}")
    return dataset


def _read_cameras(path: Path) -> dict[str, int]:
    """Camera of each image; the list starts with a line of titles."""
    rows = read_vehicle_list(
        path,
        r"(?P<image>\d+/\w+);(?P<camera>\d{1,18})(?:;.*)?",
        example="00001/000001;12;2018-03-12 09:26:00;…",
        num_titles=1,
    )
    return {image: int(row["camera"]) for image, row in rows.items()}


def _read_list(path: Path, images: Path, cameras: dict[str, int]) -> tuple[Sample, ...]:
    """Samples of a list, by path."""
    rows = read_vehicle_list(
        path, r"(?P<image>(?P<vehicle>\d{1,18})/\w+)(?:\.jpg)?(?:\s+\d+\s+\d+)?", example="00001/000001"
    )
    unknown = [image for image in rows if image not in cameras]
    if unknown:
        raise ValueError(
            f"{CAMERAS} does not give the camera of {len(unknown):,} of the {len(rows):,} images of {path}, "
            f"the first is {unknown[0]}: take the lists of one release"
        )
    samples = (
        Sample(os.path.join(images, *f"{image}.jpg".split("/")), int(row["vehicle"]) + 1, cameras[image])
        for image, row in rows.items()
    )
    return tuple(sorted(samples, key=lambda sample: sample.path))
