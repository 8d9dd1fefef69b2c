"""Check a data set before training: its counts, unusable images, copies and near-duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from reid_gl.data.checking.fingerprints import Box, Fingerprints, ImageKey, Progress, read_fingerprints
from reid_gl.data.checking.near_duplicates import find_near_duplicates
from reid_gl.data.checking.split_counts import SplitReport, describe_split
from reid_gl.records import ReidDataset, Sample


@dataclass(frozen=True)
class Occurrence:
    """One use of an image in a data set.

    Attributes:
        split: "train", "query" or "gallery".
        path: image file.
        pid: identity of the sample.
        camid: camera, -1 if unknown.
        box: x1, y1, x2, y2 of the sample in the image; None for the whole image.
    """

    split: str
    path: str
    pid: int
    camid: int
    box: Box | None


@dataclass(frozen=True)
class Pair:
    """Two near-duplicates: images that show the same but are not copies.

    Attributes:
        first: an image of the test set.
        second: the image that it resembles.
        difference: one minus the correlation of their thumbnails.
    """

    first: Occurrence
    second: Occurrence
    difference: float


@dataclass(frozen=True)
class Problem:
    """An image that cannot be used.

    Attributes:
        path: image file.
        problem: one sentence that says what is wrong.
    """

    path: str
    problem: str


@dataclass(frozen=True)
class DatasetReport:
    """Counts and problems of a data set; tuples are in the order of the splits, then of the samples.

    Attributes:
        name: name of the data set.
        splits: counts of "train", "query" and "gallery".
        unreadable: files that are not complete images.
        empty_boxes: boxes that do not overlap their image.
        cut_boxes: samples with a box that lies partly outside its image.
        shared_identities: identities in both the training and the test set, ascending.
        copies: groups of two or more samples with the same file content and box, in any split.
        train_test_pairs: test images that are near-duplicates of a training image, without copies.
        query_gallery_pairs: queries that are near-duplicates of a gallery image, without copies.
    """

    name: str
    splits: dict[str, SplitReport]
    unreadable: tuple[Problem, ...]
    empty_boxes: tuple[Problem, ...]
    cut_boxes: tuple[Occurrence, ...]
    shared_identities: tuple[int, ...]
    copies: tuple[tuple[Occurrence, ...], ...]
    train_test_pairs: tuple[Pair, ...]
    query_gallery_pairs: tuple[Pair, ...]

    @property
    def label_conflicts(self) -> tuple[tuple[Occurrence, ...], ...]:
        """Groups of copies that are labelled with more than one identity."""
        return tuple(group for group in self.copies if len({one.pid for one in group}) > 1)

    @property
    def leaked_copies(self) -> tuple[tuple[Occurrence, ...], ...]:
        """Groups of copies that are in both the training and the test set."""
        return tuple(
            group
            for group in self.copies
            if any(one.split == "train" for one in group) and any(one.split != "train" for one in group)
        )


def check_dataset(
    dataset: ReidDataset, *, progress: Progress | None = None, num_threads: int = 2
) -> DatasetReport:
    """Read every image of a data set once and report counts and problems.

    Args:
        dataset: any data set; its files may be missing or broken.
        progress: called with (done, total) in images.
        num_threads: number of threads that read files.

    Returns:
        The report. Problems of the data are reported in it and raise no errors.
    """
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    images = [_key(one) for samples in splits.values() for one in samples]
    prints = read_fingerprints(images, progress=progress, num_threads=num_threads)
    row_of = {key: row for row, key in enumerate(prints.images)}
    used = [
        _Use(Occurrence(split, one.path, one.pid, one.camid, one.box), row_of[_key(one)])
        for split, samples in splits.items()
        for one in samples
    ]
    train_pids = {one.pid for one in dataset.train if one.pid > 0}
    test_pids = {one.pid for one in (*dataset.query, *dataset.gallery) if one.pid > 0}
    return DatasetReport(
        name=dataset.name,
        splits={
            split: describe_split(samples, prints.sizes[[row_of[_key(one)] for one in samples]])
            for split, samples in splits.items()
        },
        unreadable=_unreadable(prints),
        empty_boxes=_empty_boxes(prints),
        cut_boxes=tuple(use.occurrence for use in used if prints.is_cut[use.row]),
        shared_identities=tuple(sorted(train_pids & test_pids)),
        copies=_find_copies(prints, used),
        train_test_pairs=_find_pairs(prints, used, ("query", "gallery"), ("train",)),
        query_gallery_pairs=_find_pairs(prints, used, ("query",), ("gallery",)),
    )


class _Use(NamedTuple):
    """A sample and the row of its image in Fingerprints."""

    occurrence: Occurrence
    row: int


_Content: TypeAlias = tuple[bytes, Box | None]


def _key(sample: Sample) -> ImageKey:
    return sample.path, sample.box


def _unreadable(prints: Fingerprints) -> tuple[Problem, ...]:
    """Return one problem per unreadable file, not one per box in it."""
    found = {
        path: problem
        for (path, _), problem in zip(prints.images, prints.file_problems, strict=True)
        if problem
    }
    return tuple(Problem(path, problem) for path, problem in found.items())


def _empty_boxes(prints: Fingerprints) -> tuple[Problem, ...]:
    found = zip(prints.images, prints.box_problems, strict=True)
    return tuple(Problem(path, problem) for (path, _), problem in found if problem)


def _by_content(
    prints: Fingerprints, used: Sequence[_Use], splits: Sequence[str]
) -> dict[_Content, list[_Use]]:
    """Group the uses in these splits by file content and box; images without readable pixels are left out."""
    groups: dict[_Content, list[_Use]] = defaultdict(list)
    for use in used:
        if use.occurrence.split in splits and prints.sizes[use.row].all():
            groups[prints.digests[use.row], use.occurrence.box].append(use)
    return groups


def _find_copies(prints: Fingerprints, used: Sequence[_Use]) -> tuple[tuple[Occurrence, ...], ...]:
    groups = _by_content(prints, used, ("train", "query", "gallery"))
    return tuple(tuple(use.occurrence for use in group) for group in groups.values() if len(group) > 1)


def _find_pairs(
    prints: Fingerprints, used: Sequence[_Use], first_splits: Sequence[str], second_splits: Sequence[str]
) -> tuple[Pair, ...]:
    """Find images of the first splits that are near-duplicates of images of the second splits.

    Each group of copies is represented by its first image. A group with a copy on the other side is left out.
    """
    searched = _by_content(prints, used, second_splits)
    wanted = _by_content(prints, used, first_splits)
    left = [group[0] for content, group in wanted.items() if content not in searched]
    right = [group[0] for group in searched.values()]
    matches = find_near_duplicates(
        *(prints.sketches.take([use.row for use in side]) for side in (left, right))
    )
    return tuple(
        Pair(left[row].occurrence, right[column].occurrence, difference)
        for row, column, difference in zip(*(column.tolist() for column in matches), strict=True)
    )
