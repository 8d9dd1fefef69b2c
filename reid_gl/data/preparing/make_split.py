"""A legal training set, query and gallery out of images of which only the identity is known."""

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
    """Share identities out between training and test, and images of the latter between query and gallery.

    Test identities are drawn from those seen by two cameras (with two images, where cameras are unknown),
    so that every query has a match, from another camera where cameras are known. Distractors (identity 0)
    go to the gallery, junk (-1) is left out.

    Args:
        samples: labelled images; the same samples in another order give the same split.
        train_share: part of the identities to train on, in (0, 1); at least two are for testing.
        queries_per_camera: images of a test identity and a camera that become queries, at most.
        seed: of the draw.

    Returns:
        The data set, each part sorted by path.

    Raises:
        ValueError: settings out of range, or too few identities that can be tested.
    """
    if not 0 < train_share < 1:
        raise ValueError(f"the share of training identities must lie between 0 and 1, got {train_share}")
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
            "identity 0 marks images of nobody in particular: %d go to the gallery, where they are always "
            "wrong; call it otherwise if it is somebody",
            len(distractors),
        )
    advice = f"raise the share of training identities, now {train_share}, or give the cameras"
    chosen = choose_test_identities(groups, 1 - train_share, seed=seed, advice=advice)
    query, gallery = divide_test_identities(
        (groups[pid] for pid in sorted(chosen)), queries_per_camera=queries_per_camera
    )
    train = [sample for pid, own in groups.items() if pid not in chosen for sample in own]
    return ReidDataset(_sort(train), _sort(query), _sort([*gallery, *distractors]))


def read_labelled_folder(root: str | Path, *, pattern: str = "") -> list[Sample]:
    """Images of a folder that is not divided into training and test yet; none is opened.

    Args:
        root: holds a folder of images for each identity; with a pattern, images anywhere.
        pattern: regular expression with the named group pid and, or not, camera, as load_pattern has it.

    Returns:
        Samples by path; identities are numbered from 1 if their names are not all whole numbers.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        NotADirectoryError: a file, such as a table.
        ValueError: images whose identity is not to be found out, or a pattern that is none.
    """
    folder = Path(root).expanduser()
    if folder.is_file():
        raise NotADirectoryError(
            f"{folder} is a file: give the folder of the images, with a folder for each identity in it, or "
            "with --pattern; a table says in its column split what is train, query and gallery"
        )
    return as_samples(read_pattern(folder, pattern) if pattern else read_identity_folders(folder))


def _sort(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    return tuple(sorted(samples, key=lambda sample: (sample.path, sample.box or ())))
