"""CUHK01."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.splits import split_in_halves
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("CUHK01",)
IMAGES_FOLDER = "campus"
TREE = """\
CUHK01/
    campus/    0001001.png … ({identity, 4 digits}{image, 001 to 004})"""

_NAME = re.compile(r"(?!0000)(\d{4})00([1-4])\.")
_EXPECTED = "{identity, 4 digits from 0001}{image, 001 to 004}, such as 0001003.png"


NUM_TESTED = 100
"""People to test on in the protocol with 871 people to train on."""


def load_cuhk01(root: str | Path, *, split: int = 0, few_tested: bool = False) -> ReidDataset:
    """Load CUHK01: half of its people for training (485 of 971), half for testing; no image is opened.

    Images 001 and 002 of a person are camera 0, 003 and 004 camera 1. The set defines no splits. These are
    random draws of our own (see split_in_halves): compare means over several splits with other programs, not
    single splits. The set is the first camera pair of CUHK02: do not train on one of the two and test on the
    other.

    Args:
        root: the data folder, its parent, or its image folder.
        split: 0 to 9 search for camera 0 in camera 1; 10 to 19 use the same people the other way round.
        few_tested: test on 100 people and train on 871, the other protocol that papers use.

    Returns:
        The data set, each part sorted by file name; "cuhk01", or "cuhk01_871".

    Raises:
        FileNotFoundError: the folder is not there.
        ValueError: the split does not exist, an image name does not give person and camera, or a person does
            not appear in both cameras.

    Source: Li, Zhao, Wang, "Human Reidentification with Transferred Metric Learning", ACCV 2012.
    """
    folder, _ = find_folder(root, Layout("CUHK01", FOLDER_NAMES, ((IMAGES_FOLDER,),), TREE))
    images = folder / IMAGES_FOLDER
    samples = [
        Sample(path, int(match[1]), (int(match[2]) - 1) // 2)
        for path, match in match_names(images, list_images(images), _NAME, _EXPECTED)
    ]
    if few_tested:
        return split_in_halves(samples, split=split, name="cuhk01_871", num_tested=NUM_TESTED)
    return split_in_halves(samples, split=split, name="cuhk01")
