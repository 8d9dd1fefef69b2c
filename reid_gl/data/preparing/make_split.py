"""Split labelled images into a training set, queries and a gallery."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.own.class_folders import read_identity_folders
from reid_gl.data.datasets.own.own_data import LabelledImage, as_samples
from reid_gl.data.datasets.own.pattern import read_pattern
from reid_gl.data.preparing.holdout import (
    can_be_scored,
    choose_test_identities,
    divide_test_identities,
    group_identities,
)
from reid_gl.data.preparing.labelled_tables import read_labelled_table
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, ReidDataset, Sample
from reid_gl.seeds import check_seed

logger = logging.getLogger(__name__)

TRAIN_SHARE = 0.5
QUERIES_PER_CAMERA = 1
DIVISION_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing", "val", "valid", "validation"), "test"),
    **dict.fromkeys(("query", "probe"), "query"),
    **dict.fromkeys(("gallery", "database"), "gallery"),
}
"""What the words of a division mean."""


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
    check_seed(seed)
    groups = group_identities(_sort(samples))
    groups.pop(JUNK_PID, None)
    distractors = groups.pop(DISTRACTOR_PID, [])
    _warn_of_distractors(distractors)
    advice = f"raise the fraction of training identities, now {train_share}, or give the cameras"
    chosen = choose_test_identities(groups, 1 - train_share, seed=seed, advice=advice)
    query, gallery = divide_test_identities(
        (groups[pid] for pid in sorted(chosen)), queries_per_camera=queries_per_camera
    )
    train = [sample for pid, own in groups.items() if pid not in chosen for sample in own]
    return ReidDataset(_sort(train), _sort(query), _sort([*gallery, *distractors]))


def divide_given_test(
    images: Sequence[LabelledImage], *, queries_per_camera: int = QUERIES_PER_CAMERA
) -> ReidDataset:
    """Keep a division into training and test that the owner made, and divide the test images.

    A word for validation means test. Images that are queries or gallery already stay what they are.
    Identities of the test that no query could find, because they have one image or one camera, go to the
    gallery.

    Args:
        images: labelled images, each with one of DIVISION_WORDS as its split.
        queries_per_camera: largest number of queries per test identity and camera.

    Returns:
        The data set; each split is sorted by path.

    Raises:
        ValueError: a word is unknown, a part is empty, or an identity is in training and in test.
    """
    unknown = sorted({image.split for image in images if image.split not in DIVISION_WORDS})
    if unknown:
        raise ValueError(
            f"the table's division has the word {unknown[0]!r}: expected {', '.join(DIVISION_WORDS)}; divide "
            "the identities anew instead (--ignore-split)"
        )
    parts: dict[str, list[Sample]] = {part: [] for part in set(DIVISION_WORDS.values())}
    for image, sample in zip(images, as_samples(images), strict=True):
        if sample.pid != JUNK_PID:
            parts[DIVISION_WORDS[image.split]].append(sample)
    tested = [sample for part, own in parts.items() if part != "train" for sample in own]
    shared = {sample.pid for sample in parts["train"]} & {sample.pid for sample in tested} - {DISTRACTOR_PID}
    if not parts["train"] or not tested:
        raise ValueError("the table's division has no training set, or nothing to test with: --ignore-split")
    if shared:
        raise ValueError(
            f"the table divides images, not identities: {len(shared):,} of them, the first is {min(shared)}, "
            "are in training and in test, and what a network has learned from cannot test it; divide the "
            "identities anew (--ignore-split)"
        )
    groups = group_identities(_sort(parts["test"]))
    asked = {pid for pid, own in groups.items() if pid > DISTRACTOR_PID and can_be_scored(own)}
    query, gallery = divide_test_identities(
        (groups[pid] for pid in sorted(asked)), queries_per_camera=queries_per_camera
    )
    _warn_of_distractors(groups.get(DISTRACTOR_PID, []))
    alone = [sample for pid, own in groups.items() if pid not in asked for sample in own]
    if alone:
        logger.info("%d test images cannot be found from another camera or image: gallery only", len(alone))
    return ReidDataset(
        _sort(parts["train"]), _sort(parts["query"] + query), _sort(parts["gallery"] + gallery + alone)
    )


def read_labelled_images(
    root: str | Path,
    *,
    pattern: str = "",
    columns: Mapping[str, str] | None = None,
    image_folder: str | Path | None = None,
    leave_out: Sequence[str] = (),
) -> list[LabelledImage]:
    """List labelled images, without opening them; they need not be divided into training and test.

    Args:
        root: a table (see read_labelled_table); a folder with one folder of images per identity, or with such
            folders in train and val (or test); with a pattern, any folder.
        pattern: regular expression with the named group pid and, optionally, others, see load_pattern.
        columns: titles of the table's columns.
        image_folder: folder that the table's paths are relative to; None for its own.
        leave_out: identities of the table that name nobody.

    Returns:
        Images; the split is "" if they are not divided.

    Raises:
        FileNotFoundError: there is no such file or folder, or it holds no images.
        ValueError: the identity of an image cannot be determined, or the pattern is invalid.
    """
    path = Path(root).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: give a folder of images, or a table of them")
    if path.is_file():
        if pattern:
            raise ValueError(f"{path} is a table: --pattern is for folders of images")
        folder = None if image_folder is None else Path(image_folder).expanduser()
        return read_labelled_table(path, columns=columns or {}, image_folder=folder, leave_out=leave_out)
    if pattern:
        images = read_pattern(path, pattern)
        return images if "(?P<split>" in pattern else [replace(image, split="") for image in images]
    inside = path.iterdir() if path.is_dir() else ()
    names = {one.name for one in inside if one.is_dir() and not one.name.startswith(".")}
    if "train" in names and len(names) > 1 and names <= DIVISION_WORDS.keys():
        return [
            replace(image, split=name)
            for name in sorted(names)
            for image in read_identity_folders(path / name)
        ]
    return read_identity_folders(path)


def _warn_of_distractors(distractors: Sequence[Sample]) -> None:
    if distractors:
        logger.warning(
            "identity 0 marks distractors: %d of its images go to the gallery, where they are always wrong "
            "matches; give it another number if it is a person",
            len(distractors),
        )


def _sort(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    return tuple(sorted(samples, key=lambda sample: (sample.path, sample.box or ())))
