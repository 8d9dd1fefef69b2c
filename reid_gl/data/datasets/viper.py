"""VIPeR."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.split_files import find_split_file, read_split
from reid_gl.data.datasets.reading.splits import split_in_halves
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("VIPeR", "VIPeR.v1.0")
CAMERAS = ("cam_a", "cam_b")
PUBLISHED = SplitCounts(
    training_images=632,
    training_identities=316,
    query_images=316,
    query_identities=316,
    gallery_images=316,
)
TREE = """\
VIPeR/
    cam_a/    000_45.bmp … ({person}_{angle})
    cam_b/    000_45.bmp …"""

_NAME = re.compile(r"(\d+)_\d+\.")
_EXPECTED = "{person}_{angle}.bmp, such as 000_45.bmp"


SPLITS_FILE = "splits.json"


def load_viper(root: str | Path, *, split: int = 0, community: bool = False) -> ReidDataset:
    """Load VIPeR: half of its 632 people for training, half for testing; no image is opened.

    The set numbers its people from 0, which means a distractor here: the identity is the number + 1. cam_a
    is camera 0, cam_b camera 1. The set defines no splits. These are random draws of our own (see
    split_in_halves): compare means over several splits with other programs, not single splits.

    Args:
        root: the data folder, its parent, or one of its two folders.
        split: 0 to 9 search for cam_a in cam_b; 10 to 19 use the same people the other way round. With the
            splits of torchreid, number of the split in its file.
        community: read the splits that torchreid drew and wrote to splits.json, in the set's folder or the
            one above; others can then be compared split by split.

    Returns:
        The data set, each part sorted by path.

    Raises:
        FileNotFoundError: the folders or the file of splits are missing, or the folders contain no image.
        ValueError: the split does not exist, an image name does not give the person, a person does not
            appear in both cameras, or the file of splits is broken.

    Source: Gray, Brennan, Tao, "Evaluating Appearance Models for Recognition, Reacquisition, and Tracking",
    PETS 2007.
    """
    folder, _ = find_folder(root, Layout("VIPeR", FOLDER_NAMES, (CAMERAS,), TREE))
    samples = [
        Sample(path, int(match[1]) + 1, camera)
        for camera, part in enumerate(CAMERAS)
        for path, match in match_names(folder / part, _list_bitmaps(folder / part), _NAME, _EXPECTED)
    ]
    if community:
        dataset = _split_as_torchreid(samples, find_split_file(folder, SPLITS_FILE, "VIPeR"), split)
    else:
        dataset = split_in_halves(samples, split=split, name="viper")
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _split_as_torchreid(samples: list[Sample], path: Path, split: int) -> ReidDataset:
    """Divide the images as a file says, which lists [path, person, camera] for each part.

    Only the last two names of a path count: the file was written on another machine.
    """
    parts = ("train", "query", "gallery")
    lists = read_split(path, parts, split, "VIPeR")
    known = {tuple(PurePath(sample.path).parts[-2:]): sample for sample in samples}
    found: dict[str, tuple[Sample, ...]] = {}
    for part in parts:
        printed = [row[0] if isinstance(row, list) and row else row for row in lists[part]]
        keys = [tuple(str(name).replace("\\", "/").split("/")[-2:]) for name in printed]
        missing = [name for name, key in zip(printed, keys, strict=True) if key not in known]
        if missing or not keys:
            raise ValueError(
                f"split {split} of {path} lists {missing[0] if missing else 'nothing'!r} in {part}: expected "
                "images of VIPeR, such as 'cam_a/000_45.bmp'"
            )
        found[part] = tuple(sorted((known[key] for key in keys), key=lambda sample: sample.path))
    dataset = ReidDataset(found["train"], found["query"], found["gallery"], "viper_community")
    check_disjoint(dataset, str(path))
    return dataset


def _list_bitmaps(folder: Path) -> list[str]:
    """Sorted names of the images, which are bitmaps; no other data set here uses bitmaps."""
    names = [name for name in os.listdir(folder) if name.lower().endswith(".bmp") and name[0] != "."]
    if not names:
        raise FileNotFoundError(
            f"no image in {folder}: expected files ending in .bmp; unpack the data set again"
        )
    return sorted(names)
