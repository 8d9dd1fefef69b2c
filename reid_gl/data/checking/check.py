"""What a data set holds and what is wrong with it, before anything is trained on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from reid_gl.data.checking.fingerprints import Box, Fingerprints, Picture, Progress, read_fingerprints
from reid_gl.data.checking.near_duplicates import find_near_duplicates
from reid_gl.data.checking.split_counts import SplitReport, describe_split
from reid_gl.records import ReidDataset, Sample


@dataclass(frozen=True)
class Occurrence:
    """Where an image is used.

    Attributes:
        split: "train", "query" or "gallery".
        path: image file.
        pid: identity it stands for there.
        camid: camera, -1 if unknown.
        box: part of the image, None for the whole.
    """

    split: str
    path: str
    pid: int
    camid: int
    box: Box | None


@dataclass(frozen=True)
class Pair:
    """Two images that show the same without being copies.

    Attributes:
        first: an image of the test set.
        second: what it is like.
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
        problem: one sentence that names it.
    """

    path: str
    problem: str


@dataclass(frozen=True)
class DatasetReport:
    """Counts and faults of a data set; tuples are in the order of splits, then samples.

    Attributes:
        name: of the data set.
        splits: "train", "query" and "gallery".
        unreadable: files that are no whole images.
        empty_boxes: boxes that hold nothing of their image.
        cut_boxes: samples whose box lies partly outside its image.
        shared_identities: in the training set and in the test set, ascending.
        copies: groups of two or more samples with the same file content and box, wherever they are used.
        train_test_pairs: test images that are near-duplicates of a training image, copies left out.
        query_gallery_pairs: queries that are near-duplicates of a gallery image, copies left out.
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
        """Groups of copies that stand for more than one identity."""
        return tuple(group for group in self.copies if len({one.pid for one in group}) > 1)

    @property
    def leaked_copies(self) -> tuple[tuple[Occurrence, ...], ...]:
        """Groups of copies that are in the training set and in the test set."""
        return tuple(
            group
            for group in self.copies
            if any(one.split == "train" for one in group) and any(one.split != "train" for one in group)
        )


def check_dataset(
    dataset: ReidDataset, *, progress: Progress | None = None, num_threads: int = 2
) -> DatasetReport:
    """Read every image of a data set once and say what was found.

    Args:
        dataset: any data set; its files may be missing or broken.
        progress: told (done, total) in images.
        num_threads: files read at the same time.

    Returns:
        The report; faults of the data are in it and raise nothing.
    """
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    pictures = [_picture(one) for samples in splits.values() for one in samples]
    prints = read_fingerprints(pictures, progress=progress, num_threads=num_threads)
    row_of = {picture: row for row, picture in enumerate(prints.pictures)}
    used = [
        _Use(Occurrence(split, one.path, one.pid, one.camid, one.box), row_of[_picture(one)])
        for split, samples in splits.items()
        for one in samples
    ]
    train_pids = {one.pid for one in dataset.train if one.pid > 0}
    test_pids = {one.pid for one in (*dataset.query, *dataset.gallery) if one.pid > 0}
    return DatasetReport(
        name=dataset.name,
        splits={
            split: describe_split(samples, prints.sizes[[row_of[_picture(one)] for one in samples]])
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
    """A sample and the row of its image in the fingerprints."""

    occurrence: Occurrence
    row: int


_Content: TypeAlias = tuple[bytes, Box | None]


def _picture(sample: Sample) -> Picture:
    return sample.path, sample.box


def _unreadable(prints: Fingerprints) -> tuple[Problem, ...]:
    """One for each file, not for each box in it."""
    found = {
        path: problem
        for (path, _), problem in zip(prints.pictures, prints.file_problems, strict=True)
        if problem
    }
    return tuple(Problem(path, problem) for path, problem in found.items())


def _empty_boxes(prints: Fingerprints) -> tuple[Problem, ...]:
    found = zip(prints.pictures, prints.box_problems, strict=True)
    return tuple(Problem(path, problem) for (path, _), problem in found if problem)


def _by_content(
    prints: Fingerprints, used: Sequence[_Use], splits: Sequence[str]
) -> dict[_Content, list[_Use]]:
    """The uses of each content in these splits; what cannot be seen has none."""
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
    """Near-duplicates between splits; copies count once, and not at all if the other side has one."""
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
