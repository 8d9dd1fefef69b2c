"""CUHK01."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.data.datasets.own.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.splits import split_in_halves
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("CUHK01",)
IMAGES_FOLDER = "campus"
TREE = """\
CUHK01/
    campus/    0001001.png … ({identity, 4 digits}{picture, 001 to 004})"""

_NAME = re.compile(r"(?!0000)(\d{4})00([1-4])\.")
_EXPECTED = "{identity, 4 digits from 0001}{picture, 001 to 004}, such as 0001003.png"


def load_cuhk01(root: str | Path, *, split: int = 0) -> ReidDataset:
    """Load CUHK01, half of its people for training (485 of 971) and half for testing; opens no picture.

    Pictures 001 and 002 of a person are camera 0, 003 and 004 camera 1. The set brings no splits; these are
    our own draws (see split_in_halves), so single splits cannot be compared with those of other programs,
    only means over several. The set is the first camera pair of CUHK02: do not train on one of the two to
    test on the other.

    Args:
        root: the data folder, its parent, or its folder of pictures.
        split: 0 to 9, camera 0 searched for in camera 1; 10 to 19, the same people the other way round.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: the folder is not there.
        ValueError: no such split, a picture whose name does not say person and camera, or a person whom one
            camera does not show.

    Source: Li, Zhao, Wang, "Human Reidentification with Transferred Metric Learning", ACCV 2012.
    """
    folder, _ = find_folder(root, Layout("CUHK01", FOLDER_NAMES, ((IMAGES_FOLDER,),), TREE))
    images = folder / IMAGES_FOLDER
    samples = [
        Sample(path, int(match[1]), (int(match[2]) - 1) // 2)
        for path, match in match_names(images, list_images(images), _NAME, _EXPECTED)
    ]
    return split_in_halves(samples, split=split, name="cuhk01")
