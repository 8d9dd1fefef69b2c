"""SenseReID, a test-only set."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("SenseReID",)
VARIANTS = (("test_probe", "test_gallery"), ("test_prob", "test_gallery"))
"""Query and gallery; fast-reid spells the first folder without its e."""
TREE = """\
SenseReID/
    test_probe/      00001_0.jpg … ({person}_{camera})
    test_gallery/"""

_NAME = re.compile(r"(\d+)_(\d+)\.")
_EXPECTED = "{person}_{camera}, such as 00001_0.jpg"


def load_sensereid(root: str | Path) -> ReidDataset:
    """Load SenseReID, which has no training set; no image is opened.

    The set may number its people from 0, which means a distractor here: the identity is the number + 1. The
    camera is the number in the name.

    Args:
        root: the data folder, its parent, or one of its two folders.

    Returns:
        The data set, query and gallery sorted by file name, the training set empty.

    Raises:
        FileNotFoundError: the folders are missing or contain no image.
        ValueError: an image name does not give the person and camera.

    Source: Zhao et al., "Spindle Net: Person Re-identification with Human Body Region Guided Feature
    Decomposition and Fusion", CVPR 2017.
    """
    folder, variant = find_folder(root, Layout("SenseReID", FOLDER_NAMES, VARIANTS, TREE))
    query, gallery = (_read_folder(folder / part) for part in variant)
    return ReidDataset((), query, gallery, "sensereid")


def _read_folder(folder: Path) -> tuple[Sample, ...]:
    """Samples of one folder, by file name."""
    return tuple(
        Sample(path, int(match[1]) + 1, int(match[2]))
        for path, match in match_names(folder, list_images(folder), _NAME, _EXPECTED)
    )
