"""CUB-200-2011: birds."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.data.datasets.reading.class_images import list_folders, read_class_folder
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("CUB_200_2011", "CUB-200-2011", "CUB200", "CUB")
VARIANTS = (("images/001.Black_footed_Albatross",),)
TREE = """\
CUB_200_2011/
    images/
        001.Black_footed_Albatross/    Black_Footed_Albatross_0001_796111.jpg …
        …
        200.Common_Yellowthroat/"""
NUM_CLASSES = 200
NUM_TRAINING_CLASSES = 100
KS = (1, 2, 4, 8)
PUBLISHED = SplitCounts(
    training_images=5_864,
    training_identities=100,
    query_images=5_924,
    query_identities=100,
    gallery_images=0,
)


def load_cub200(root: str | Path) -> ReidDataset:
    """Load CUB-200-2011; no image is opened.

    Classes 1 to 100 are for training, 101 to 200 for testing. The authors' own split is not used, because it
    is one for classification.

    Args:
        root: the data folder, its parent, or its image folder.

    Returns:
        The data set, each part sorted by path; every query searches all other test images.

    Raises:
        FileNotFoundError: the folders are missing, or a class has no image.
        ValueError: a folder name does not give the class, or two folders give the same class.

    Source: Wah et al., "The Caltech-UCSD Birds-200-2011 Dataset", Caltech, 2011; the split as in Song et
        al., "Deep Metric Learning via Lifted Structured Feature Embedding", CVPR 2016.
    """
    folder, _ = find_folder(root, Layout("CUB-200-2011", FOLDER_NAMES, VARIANTS, TREE))
    samples = _read_classes(folder / "images")
    train = tuple(sample for sample in samples if sample.pid <= NUM_TRAINING_CLASSES)
    test = tuple(sample for sample in samples if sample.pid > NUM_TRAINING_CLASSES)
    dataset = ReidDataset(train, test, (), "cub200", KS)
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_classes(folder: Path) -> list[Sample]:
    """Samples of all classes, by path; the class is the number at the start of its folder's name."""
    names: dict[int, str] = {}
    for name in list_folders(folder):
        match = re.match(r"(\d{3})\.", name)
        number = int(match[1]) if match else 0
        if not 1 <= number <= NUM_CLASSES:
            raise ValueError(
                f"folder {name!r} in {folder} does not give its class: expected 001 to {NUM_CLASSES}, a dot "
                "and the bird's name, such as 001.Black_footed_Albatross; rename it or move it away"
            )
        if number in names:
            raise ValueError(
                f"folders {names[number]!r} and {name!r} in {folder} are both class {number}: expected one; "
                "move one of them away"
            )
        names[number] = name
    return [sample for number, name in names.items() for sample in read_class_folder(folder / name, number)]
