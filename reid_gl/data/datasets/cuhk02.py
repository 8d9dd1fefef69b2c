"""CUHK02."""

from __future__ import annotations

import re
from pathlib import Path

from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("CUHK02", "Dataset")
PAIRS = ("P1", "P2", "P3", "P4", "P5")
CAMERAS = tuple(f"{pair}/{camera}" for pair in PAIRS for camera in ("cam1", "cam2"))
"""Two cameras per pair; the last pair is the test set."""
VARIANTS = (tuple(f"Dataset/{camera}" for camera in CAMERAS), CAMERAS)
TREE = """\
CUHK02/
    Dataset/
        P1/
            cam1/    001_….png … ({person}_…)
            cam2/
        P2/  P3/  P4/  P5/    the same"""

_NAME = re.compile(r"0*([1-9]\d{0,2})_")
_EXPECTED = "{person, 1 to 999}_…, such as 001_1.png"


def load_cuhk02(root: str | Path) -> ReidDataset:
    """Load CUHK02: camera pairs P1 to P4 for training, P5 for testing; no image is opened.

    Every pair numbers its people from 1, so the identity is 1,000 times the pair plus the person: person 7
    of P5 is 5007. The ten cameras are numbered from 0 in the order of the pairs. The query is P5/cam1 (camera
    8), the gallery P5/cam2 (camera 9). The first pair is CUHK01: do not train on one set and test on the
    other.

    Args:
        root: the data folder, its parent, or one of its folders.

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: a folder is missing or contains no image.
        ValueError: an image name does not give the person.

    Source: Li, Wang, "Locally Aligned Feature Transforms across Views", CVPR 2013.
    """
    folder, variant = find_folder(root, Layout("CUHK02", FOLDER_NAMES, VARIANTS, TREE))
    cameras = [_read_camera(folder / part, camera) for camera, part in enumerate(variant)]
    train = tuple(sample for samples in cameras[:-2] for sample in samples)
    return ReidDataset(train, cameras[-2], cameras[-1], "cuhk02")


def _read_camera(folder: Path, camera: int) -> tuple[Sample, ...]:
    """Samples of one camera, by file name."""
    pair = 1 + camera // 2
    return tuple(
        Sample(path, 1000 * pair + int(match[1]), camera)
        for path, match in match_names(folder, list_images(folder), _NAME, _EXPECTED)
    )
