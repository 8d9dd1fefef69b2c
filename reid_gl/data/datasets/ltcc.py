"""LTCC: people who change their clothes."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("LTCC_ReID", "LTCC-ReID", "LTCC")
PARTS = ("train", "query", "test")
PUBLISHED = SplitCounts(
    training_images=9_576,
    training_identities=77,
    query_images=493,
    query_identities=75,
    gallery_images=7_050,
)
TREE = """\
LTCC_ReID/
    train/    094_1_c9_015833.png … ({person}_{clothes}_c{camera}_{frame})
    query/
    test/     the gallery"""
MAX_CLOTHES = 1_000

_NAME = re.compile(r"(\d{1,9})_(\d{1,3})_c0*([1-9]\d{0,8})_")
_EXPECTED = "{person}_{clothes}_c{camera}_{frame}.png, such as 094_1_c9_015833.png"


def load_ltcc(root: str | Path) -> ReidDataset:
    """Load LTCC; no image is opened.

    The identity is the number of the person + 1, because 0 means a distractor here. Clothes are numbered for
    each person, so `Sample.clothes` differs for different people.

    Args:
        root: the data folder, its parent, or one of its folders.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: a folder is missing or contains no image.
        ValueError: an image name does not give person, clothes and camera.

    Source: Qian et al., "Long-Term Cloth-Changing Person Re-identification", ACCV 2020.
    """
    folder, parts = find_folder(root, Layout("LTCC", FOLDER_NAMES, (PARTS,), TREE))
    train, query, gallery = (_read_folder(folder / part) for part in parts)
    dataset = ReidDataset(train, query, gallery, "ltcc")
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_folder(folder: Path) -> tuple[Sample, ...]:
    samples = []
    for path, match in match_names(folder, list_images(folder), _NAME, _EXPECTED):
        person, clothes, camera = (int(text) for text in match.groups())
        pid = person + 1
        samples.append(Sample(path, pid, camera - 1, clothes=pid * MAX_CLOTHES + clothes))
    return tuple(samples)
