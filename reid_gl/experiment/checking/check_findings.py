"""Turn the report on a data set into sentences: errors to repair, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reid_gl.data.checking.check import DatasetReport, Occurrence, Pair, Problem
from reid_gl.evaluation.scores.matching import in_other_camera
from reid_gl.evaluation.scores.protocol import Preflight

MAX_IMBALANCE = 10.0
"""A set is unbalanced if its largest training identity has at least this many times the median of images."""

MAX_COINCIDENCE = 0.001
"""Largest share of test images similar to a training image that is only a warning; Omniglot has some."""

NUM_NAMED = 5
"""Maximum number of identities that a sentence names."""


@dataclass(frozen=True)
class Findings:
    """What is wrong with a data set.

    Attributes:
        errors: sentences; with any of them, the set cannot be used for training or testing, or its scores are
            meaningless.
        warnings: sentences about things that may be intended.
    """

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def judge_dataset(report: DatasetReport, preflight: Preflight | str) -> Findings:
    """Describe in sentences what a report shows.

    Args:
        report: of a data set.
        preflight: what the protocol can score of its test set, or why it can score nothing.

    Returns:
        The sentences, in a fixed order; no errors and no warnings if all is well.
    """
    uses_cameras = isinstance(preflight, Preflight) and preflight.use_cameras
    errors = (
        *_unusable_splits(report, preflight),
        *_unusable_images(report.unreadable, "image cannot be read", "images cannot be read"),
        *_unusable_images(report.empty_boxes, "box is empty", "boxes are empty"),
        *_leaks(report),
        *_found_copies(report, uses_cameras=uses_cameras),
    )
    warnings = (
        *_coincidences(report),
        *_repeated_images(report),
        *_doubtful_pairs(report.query_gallery_pairs),
        *_boxes(report),
        *_identities(report),
        *_matches(preflight),
    )
    return Findings(errors, warnings)


def scored_copies(report: DatasetReport, *, uses_cameras: bool) -> tuple[tuple[Occurrence, Occurrence], ...]:
    """Return the queries that have a copy in the gallery that counts as a match, each with its first copy."""
    pairs = []
    for group in report.copies:
        for query in (one for one in group if one.split == "query"):
            found = (one for one in group if one.split == "gallery" and one.pid == query.pid)
            counted = (one for one in found if not uses_cameras or in_other_camera(query.camid, one.camid))
            pairs += [(query, copy) for copy in list(counted)[:1]]
    return tuple(pairs)


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _unusable_splits(report: DatasetReport, preflight: Preflight | str) -> list[str]:
    train, query = report.splits["train"], report.splits["query"]
    sentences = []
    if train.images == 0:
        sentences.append("the training set is empty: nothing can be learned from it")
    elif train.identities < 2:
        count = _count(train.identities, "identity", "identities")
        sentences.append(f"the training set shows {count}: at least 2 are needed to tell them apart")
    if train.without_identity:
        count = _count(train.without_identity, "training image has", "training images have")
        sentences.append(
            f"{count} identity 0 or -1, which stand for distractors and junk: number the identities from 1"
        )
    if query.images == 0:
        sentences.append("the query set is empty: nothing can be scored")
    elif isinstance(preflight, str):
        sentences.append(preflight)
    return sentences


def _unusable_images(problems: Sequence[Problem], one: str, several: str) -> list[str]:
    if not problems:
        return []
    return [f"{_count(len(problems), one, several)}; the first: {problems[0].problem}"]


def _leaks(report: DatasetReport) -> list[str]:
    sentences = []
    if shared := report.shared_identities:
        named = ", ".join(map(str, shared[:NUM_NAMED])) + (", ..." if len(shared) > NUM_NAMED else "")
        count = _count(len(shared), "identity is", "identities are")
        sentences.append(
            f"{count} in the training set and in the test set ({named}): split the data by identity"
        )
    if copies := report.leaked_copies:
        count = _count(len(copies), "training image is", "training images are")
        first = next(one for one in copies[0] if one.split == "train")
        second = next(one for one in copies[0] if one.split != "train")
        sentences.append(
            f"{count} also in the test set, the first: {first.path} is {second.path}; "
            "remove them from one of the two"
        )
    if (pairs := report.train_test_pairs) and not _may_be_coincidence(report):
        count = _count(len(pairs), "test image is", "test images are")
        sentences.append(
            f"{count} nearly the same as a training image, the first: {_pair(pairs[0])}; "
            "remove them from one of the two"
        )
    return sentences


def _may_be_coincidence(report: DatasetReport) -> bool:
    """Return whether the similar pairs are few enough to be coincidences, such as two similar coats."""
    num_test = report.splits["query"].images + report.splits["gallery"].images
    return len(report.train_test_pairs) <= MAX_COINCIDENCE * num_test


def _coincidences(report: DatasetReport) -> list[str]:
    if not report.train_test_pairs or not _may_be_coincidence(report):
        return []
    count = _count(len(report.train_test_pairs), "test image is", "test images are")
    return [
        f"{count} nearly the same as a training image, so few that it may be chance, the first: "
        f"{_pair(report.train_test_pairs[0])}"
    ]


def _found_copies(report: DatasetReport, *, uses_cameras: bool) -> list[str]:
    copies = scored_copies(report, uses_cameras=uses_cameras)
    if not copies:
        return []
    count = _count(len(copies), "query has a copy of itself", "queries have a copy of themselves")
    return [
        f"{count} in the gallery that counts as a match, the first: {copies[0][0].path} is "
        f"{copies[0][1].path}; remove the copies from the gallery"
    ]


def _repeated_images(report: DatasetReport) -> list[str]:
    sentences = []
    for split in report.splits:
        groups = [group for group in report.copies if sum(one.split == split for one in group) > 1]
        if groups:
            inside = [one for one in groups[0] if one.split == split]
            sentences.append(
                f"{_count(len(groups), 'image is', 'images are')} more than once in the {split} set, "
                f"the first: {inside[0].path} is {inside[1].path}"
            )
    if conflicts := report.label_conflicts:
        first = conflicts[0][0]
        other = next(one for one in conflicts[0] if one.pid != first.pid)
        sentences.append(
            f"{_count(len(conflicts), 'image has', 'images have')} several identities, the first: "
            f"{first.path} is {first.pid} and {other.path}, the same image, is {other.pid}"
        )
    return sentences


def _doubtful_pairs(pairs: Sequence[Pair]) -> list[str]:
    """Warn about near-duplicates of different identities; frames of one track in both parts are normal."""
    doubtful = [pair for pair in pairs if pair.first.pid != pair.second.pid]
    if not doubtful:
        return []
    return [
        f"{_count(len(doubtful), 'query is', 'queries are')} nearly the same as a gallery image of another "
        f"identity, the first: {_pair(doubtful[0])}"
    ]


def _boxes(report: DatasetReport) -> list[str]:
    if not report.cut_boxes:
        return []
    first = report.cut_boxes[0]
    count = _count(len(report.cut_boxes), "box lies", "boxes lie")
    return [f"{count} partly outside the image, the first: {first.box} of {first.path}; the rest is used"]


def _identities(report: DatasetReport) -> list[str]:
    train = report.splits["train"]
    sentences = []
    if train.single_image_identities:
        sentences.append(
            f"{train.single_image_identities:,} of {train.identities:,} training identities have one image "
            "only: a batch can only repeat it"
        )
    spread = train.images_per_identity
    if spread is not None and spread.max > MAX_IMBALANCE * spread.median:
        sentences.append(
            f"the largest training identity has {spread.max:,.0f} images, the median one "
            f"{spread.median:g}: P x K batches balance this, plain shuffling does not"
        )
    return sentences


def _matches(preflight: Preflight | str) -> list[str]:
    if isinstance(preflight, str) or preflight.num_scored == preflight.num_queries:
        return []
    return [f"only {preflight}"]


def _pair(pair: Pair) -> str:
    return f"{pair.first.path} (identity {pair.first.pid}) and {pair.second.path} ({pair.second.pid})"
