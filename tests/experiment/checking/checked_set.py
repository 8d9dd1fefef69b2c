"""A sound set in the layout of Market-1501, for the tests of its check."""

from __future__ import annotations

from pathlib import Path

from tests.data.made_up_images import blobs, write

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"


def write_checked_set(folder: Path) -> Path:
    """Three people to train on and two to test, every image different."""
    names = [(TRAIN, pid, camera) for pid in (1, 2, 3) for camera in (1, 2)]
    names += [(QUERY, pid, 1) for pid in (11, 12)]
    names += [(GALLERY, pid, camera) for pid in (0, 11, 12) for camera in (1, 2)]
    for seed, (split, pid, camera) in enumerate(names):
        write(folder / split / f"{pid:04}_c{camera}s1_{seed:06}_00.png", blobs(seed))
    return folder
