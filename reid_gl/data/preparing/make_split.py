"""Split labelled images into a training set, queries and a gallery."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from reid_gl.data.datasets.own.class_folders import read_identity_folders
from reid_gl.data.datasets.own.own_data import as_samples
from reid_gl.data.datasets.own.pattern import read_pattern
from reid_gl.data.preparing.holdout import choose_test_identities, divide_test_identities, group_identities
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, ReidDataset, Sample

logger = logging.getLogger(__name__)

TRAIN_SHARE = 0.5
QUERIES_PER_CAMERA = 1


def make_split(
    samples: Sequence[Sample],
    *,
    train_share: float = TRAIN_SHARE,
    queries_per_camera: int = QUERIES_PER_CAMERA,
    seed: int = 0,
) -> ReidDataset:
    """Divide identities into training and test, and the test images into queries and a gallery.

    Test identities are drawn from those seen by two cameras (or with two images, if cameras are unknown).
    Every query therefore has a match, from another camera if cameras are known. Distractors (identity 0) go
    to the gallery; junk (-1) is left out.

    Args:
        samples: labelled images; their order does not affect the split.
        train_share: fraction of the identities to train on, in (0, 1); at least two are kept for testing.
        queries_per_camera: largest number of queries per test identity and camera.
        seed: seed of the random choice.

    Returns:
        The data set; each split is sorted by path.

    Raises:
        ValueError: a setting is out of range, or too few identities can be tested.
    """
    if not 0 < train_share < 1:
        raise ValueError(f"the fraction of training identities must lie between 0 and 1, got {train_share}")
    if queries_per_camera < 1 or seed < 0:
        raise ValueError(
            "queries per camera must be at least 1 and the seed at least 0, got "
            f"{queries_per_camera} and {seed}"
        )
    groups = group_identities(_sort(samples))
    groups.pop(JUNK_PID, None)
    distractors = groups.pop(DISTRACTOR_PID, [])
    if distractors:
        logger.warning(
            "identity 0 marks distractors: %d of its images go to the gallery, where they are always wrong "
            "matches; give it another number if it is a person",
            len(distractors),
        )
    advice = f"raise the fraction of training identities, now {train_share}, or give the cameras"
    chosen = choose_test_identities(groups, 1 - train_share, seed=seed, advice=advice)
    query, gallery = divide_test_identities(
        (groups[pid] for pid in sorted(chosen)), queries_per_camera=queries_per_camera
    )
    train = [sample for pid, own in groups.items() if pid not in chosen for sample in own]
    return ReidDataset(_sort(train), _sort(query), _sort([*gallery, *distractors]))


def read_labelled_folder(root: str | Path, *, pattern: str = "") -> list[Sample]:
    """List the images of a folder that is not yet divided into training and test, without opening them.

    Args:
        root: folder with one folder of images per identity; with a pattern, images may lie anywhere in it.
        pattern: regular expression with the named group pid and optionally camera, see load_pattern.

    Returns:
        Samples by path; identities are numbered from 1 if their names are not all whole numbers.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no images.
        NotADirectoryError: root is a file, such as a table.
        ValueError: the identity of an image cannot be determined, or the pattern is invalid.
    """
    folder = Path(root).expanduser()
    if folder.is_file():
        raise NotADirectoryError(
            f"{folder} is a file: give the folder of the images, with one folder per identity in it, or with "
            "--pattern; a table needs no split: its column split says what is train, query and gallery"
        )
    return as_samples(read_pattern(folder, pattern) if pattern else read_identity_folders(folder))


def _sort(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    return tuple(sorted(samples, key=lambda sample: (sample.path, sample.box or ())))
