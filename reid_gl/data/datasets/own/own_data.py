"""Shared by the readers of own data: numbers identities and builds a data set from labelled images."""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_gl.data.datasets.reading.counted_from_zero import count_from_one, is_counted_from_zero
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, ReidDataset, Sample

logger = logging.getLogger(__name__)

SPLITS = ("train", "query", "gallery")
RETRIEVAL_KS = (1, 2, 4, 8)
"""The values of K for Recall@K if there is no gallery."""

# 18 digits always fit int64; spreadsheets and pandas write whole numbers of a column with gaps as 7.0
_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]{1,18})(\.0*)?")


@dataclass(frozen=True)
class LabelledImage:
    """An image with the labels that its owner gave it.

    Attributes:
        path: image file.
        identity: number or name of the person or object.
        split: one of SPLITS; "" if not given.
        camid: camera, counted from 0; -1 if unknown.
        box: (x1, y1, x2, y2) pixels inside the image; None for the whole image.
        tracklet: number of the track the image was cut from; -1 if unknown.
        clothes: number of the clothes worn; -1 if unknown.
        date: number of the day; -1 if unknown.
    """

    path: str
    identity: str
    split: str = ""
    camid: int = -1
    box: tuple[int, int, int, int] | None = None
    tracklet: int = -1
    clothes: int = -1
    date: int = -1


def whole_number(text: str) -> int | None:
    """Parse a whole number written as 7, -1, 0007 or 7.0; None if the text is anything else."""
    match = _WHOLE_NUMBER.fullmatch(text)
    return int(match[1]) if match else None


def number_names(names: Iterable[str], *, first: int, lowest: int, kind: str) -> dict[str, int]:
    """Assign a number to each name, the same on every machine.

    Args:
        names: names in any order; duplicates are allowed.
        first: number of the first name, if names are numbered.
        lowest: if all names are whole numbers of at least this, the numbers are kept unchanged.
        kind: what the names are, for messages.

    Returns:
        The number of each name. Names that are equal after Unicode normalisation, such as the two encodings
        of é, get the same number.

    Raises:
        ValueError: the same number is written in two ways, such as 7 and 007.
    """
    spelled = {name: unicodedata.normalize("NFC", name) for name in sorted(set(names))}
    ordered = sorted(set(spelled.values()))
    printed = [number for name in ordered if (number := whole_number(name)) is not None]
    if len(printed) == len(ordered) and min(printed, default=lowest) >= lowest:
        numbers = dict(zip(ordered, printed, strict=True))
        _refuse_two_spellings(numbers, kind)
    else:
        numbers = {name: number for number, name in enumerate(ordered, start=first)}
        logger.info(
            "%s are numbered from %d in the order of their names: %r is %d, %r is %d",
            *(kind, first, ordered[0], first, ordered[-1], numbers[ordered[-1]]),
        )
    return {name: numbers[spelling] for name, spelling in spelled.items()}


def is_missing(text: str) -> bool:
    """Return whether a cell is empty or a marker for a missing value, as spreadsheets and pandas write it."""
    return text.lower() in ("", "nan", "na", "n/a", "<na>", "null", "none", "nat")


def as_samples(images: Sequence[LabelledImage], *, lowest: int = JUNK_PID) -> list[Sample]:
    """Convert to samples in order; identities are kept if all are whole numbers, else numbered from 1.

    Args:
        images: images of any split.
        lowest: smallest valid identity; if any number is lower, all whole numbers are treated as names.

    Returns:
        A sample for each image.

    Raises:
        ValueError: the same number is written in two ways, or names are mixed with the numbers reserved for
            junk or distractors.
    """
    _refuse_names_beside_reserved(images, lowest)
    pids = number_names((p.identity for p in images), first=1, lowest=lowest, kind="identities")
    return [
        Sample(p.path, pids[p.identity], p.camid, p.box, p.tracklet, clothes=p.clothes, date=p.date)
        for p in images
    ]


def assemble(
    images: Sequence[LabelledImage],
    *,
    name: str,
    source: Path,
    lowest: int = JUNK_PID,
) -> ReidDataset:
    """Build a data set from images that all have a split.

    Args:
        images: images in any order.
        name: name of the data set in results.
        source: where the images come from, for messages.
        lowest: as in as_samples.

    Returns:
        The data set, each part sorted by path, without junk. If a query has identity 0, identities count
        from 0, and each is increased by one.

    Raises:
        ValueError: the same number is written in two ways, or an identity is in training and in test.
    """
    samples = as_samples(images, lowest=lowest)
    queries = (sample for image, sample in zip(images, samples, strict=True) if image.split == "query")
    if is_counted_from_zero(queries, name=name, source=source):
        samples = count_from_one(samples)
    _refuse_shared_identities(images, samples, source)
    parts: dict[str, list[Sample]] = {split: [] for split in SPLITS}
    for image, sample in zip(images, samples, strict=True):
        if sample.pid != JUNK_PID:
            parts[image.split].append(sample)
    if parts["gallery"]:
        _warn_of_unknown_cameras(samples, name, source)
    if parts["query"] and not parts["gallery"]:
        logger.info("%s has no gallery: every query searches all the others", name)
    ks = RETRIEVAL_KS if parts["query"] and not parts["gallery"] else ()
    train, query, gallery = (tuple(sorted(parts[split], key=_by_path)) for split in SPLITS)
    return ReidDataset(train, query, gallery, name, ks)


def is_within(path: str, folder: str) -> bool:
    """Return whether a path equals a folder or lies below it; both absolute, without links and dots."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _by_path(sample: Sample) -> tuple[str, tuple[int, ...]]:
    return sample.path, sample.box or ()


def _refuse_two_spellings(numbers: dict[str, int], kind: str) -> None:
    first: dict[int, str] = {}
    for name, number in numbers.items():
        if first.setdefault(number, name) != name:
            raise ValueError(
                f"{kind} {first[number]!r} and {name!r} are the same number: write it in one way if they are "
                "the same, or give one of them another number"
            )


def _refuse_names_beside_reserved(images: Sequence[LabelledImage], lowest: int) -> None:
    """Refuse junk (-1) or distractors (0) among names: numbering the names would make them identities."""
    reserved, names = None, []
    for image in images:
        number = whole_number(image.identity)
        if number is None:
            names.append(image)
        elif lowest <= number <= DISTRACTOR_PID:
            reserved = image
    if reserved is None or not names:
        return
    meaning = "junk" if whole_number(reserved.identity) == JUNK_PID else "a distractor"
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    raise ValueError(
        f"identity {names[0].identity!r} of {names[0].path}{more} is not a whole number, and identity "
        f"{reserved.identity!r} of {reserved.path} marks {meaning}, which only works if all are numbers: "
        "give every identity a number, or give all of them names"
    )


def _refuse_shared_identities(
    images: Sequence[LabelledImage], samples: Sequence[Sample], source: Path
) -> None:
    """Refuse identities that are in both training and test; distractors and junk do not count."""
    first: dict[bool, dict[int, LabelledImage]] = {True: {}, False: {}}
    for image, sample in zip(images, samples, strict=True):
        if sample.pid > DISTRACTOR_PID:
            first[image.split == "train"].setdefault(sample.pid, image)
    shared = sorted(first[True].keys() & first[False].keys())
    if not shared:
        return
    train, test = (first[is_train][shared[0]] for is_train in (True, False))
    others = f" and {len(shared) - 1:,} more like it" if len(shared) > 1 else ""
    raise ValueError(
        f"identity {train.identity!r}{others} is in train ({train.path}) and in {test.split} ({test.path}) "
        f"of {source}: what a network has learned from cannot test it; correct the splits, or let reid-gl "
        "make-split make them"
    )


def _warn_of_unknown_cameras(samples: Sequence[Sample], name: str, source: Path) -> None:
    unknown = sum(sample.camid < 0 for sample in samples)
    if unknown:
        warn_once(
            logger,
            f"{name}: {unknown:,} of {len(samples):,} images in {source} have no camera, so images of "
            "the query's own camera count as matches like any other (camera rule off)",
        )
