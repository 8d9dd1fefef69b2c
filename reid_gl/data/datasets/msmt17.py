"""MSMT17, first and second release."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.records import ReidDataset, Sample
from reid_gl.untrusted.regular_file import quoted, read_lines

FOLDER_NAMES = ("MSMT17_V1", "MSMT17_V2", "MSMT17")
PUBLISHED = SplitCounts(
    training_images=32_621,
    training_identities=1_041,
    query_images=11_659,
    query_identities=3_060,
    gallery_images=82_161,
)
PUBLISHED_WITHOUT_VAL = replace(PUBLISHED, training_images=30_248)
LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
VARIANTS = (("train", "test", *LISTS), ("mask_train_v2", "mask_test_v2", *LISTS))
TREE = """\
MSMT17_V1/ (or MSMT17_V2/)
    train/ (V2: mask_train_v2/)    0000/0000_000_01_0303morning_0015_0.jpg …
    test/ (V2: mask_test_v2/)
    list_train.txt  list_val.txt  list_query.txt  list_gallery.txt"""

_LINE = re.compile(
    r"(?P<path>(?:[^\s/]+/)*[^\s/_]+_[^\s/_]+_0*(?P<camera>[1-9]\d{0,8})_[^\s/]+)\s+(?P<pid>\d{1,18})"
)


def load_msmt17(root: str | Path, *, with_validation: bool = True) -> ReidDataset:
    """Load MSMT17 in the release that is found; no image is opened.

    The training set is list_train plus list_val, which shows the same people. Most published networks are
    trained on list_train alone. The lists number the people of the training set and of the
    test set from 0 each. Here 0 means a distractor and the two sets must not overlap. So the identity of a
    training image is its number + 1, and that of a test image its number + 1 + the number of training people
    (1,041; in a subset, the highest training identity).

    Args:
        root: the data folder, its parent, or one of its folders or lists.
        with_validation: False leaves out list_val. Identities are the same.

    Returns:
        The data set, each part sorted by path; "msmt17", or "msmt17_without_val".

    Raises:
        FileNotFoundError: folders or lists are missing, or a listed image is missing.
        ValueError: a line of a list does not give an image, its camera and its person.

    Source: Wei et al., "Person Transfer GAN to Bridge Domain Gap for Person Re-Identification", CVPR 2018.
    """
    folder, variant = find_folder(root, Layout("MSMT17", FOLDER_NAMES, VARIANTS, TREE))
    train_folder, test_folder = (os.path.join(folder, part) for part in variant[:2])
    train, validation = (_read_list(folder / name, train_folder) for name in LISTS[:2])
    query, gallery = (_read_list(folder / name, test_folder) for name in LISTS[2:])
    name, published = "msmt17_without_val", PUBLISHED_WITHOUT_VAL
    offset = 2 + max((sample.pid for sample in train + validation), default=-1)
    if with_validation:
        name, published, train = "msmt17", PUBLISHED, train + validation
    require_files([sample.path for sample in train + query + gallery], f"the lists of {folder}")
    dataset = ReidDataset(_shift(train, 1), _shift(query, offset), _shift(gallery, offset), name)
    check_counts(dataset, published, folder)
    return dataset


def _read_list(path: Path, image_folder: str) -> tuple[Sample, ...]:
    """Samples of one list, with the identities printed there."""
    samples = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(
                f"line {number} of {path} reads {quoted(line.strip())}: expected an image and a person's "
                "number, such as '0000/0000_000_01_0303morning_0015_0.jpg 0' (the third field is the camera, "
                "from 01); take the list from the data set again"
            )
        image = os.path.join(image_folder, *match["path"].split("/"))
        samples.append(Sample(image, int(match["pid"]), int(match["camera"]) - 1))
    return tuple(samples)


def _shift(samples: tuple[Sample, ...], offset: int) -> tuple[Sample, ...]:
    """Samples by path, with an offset added to each identity."""
    shifted = (replace(sample, pid=sample.pid + offset) for sample in samples)
    return tuple(sorted(shifted, key=lambda sample: sample.path))
