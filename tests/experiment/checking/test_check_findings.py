from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reid_gl.data.checking.check import DatasetReport, Occurrence, Pair, Problem
from reid_gl.data.checking.split_counts import SplitReport, Spread
from reid_gl.evaluation.scores.protocol import Preflight
from reid_gl.experiment.checking.check_findings import judge_dataset, scored_copies

SPLIT = SplitReport(
    images=8,
    identities=2,
    cameras=2,
    without_identity=0,
    without_camera=0,
    images_per_identity=Spread(4, 4, 4),
    histogram={"4-7": 2},
    single_image_identities=0,
    width=Spread(64, 64, 64),
    height=Spread(128, 128, 128),
    aspect=Spread(2, 2, 2),
)
SOUND = DatasetReport(
    name="made up",
    splits={"train": SPLIT, "query": SPLIT, "gallery": SPLIT},
    unreadable=(),
    empty_boxes=(),
    cut_boxes=(),
    shared_identities=(),
    copies=(),
    train_test_pairs=(),
    query_gallery_pairs=(),
)
ALL_MATCH = Preflight(
    use_cameras=True,
    num_queries=8,
    num_scored=8,
    num_only_same_camera=0,
    num_absent=0,
    num_gallery=8,
    num_distractors=0,
)


def used(split: str, name: str, pid: int, camid: int = 0) -> Occurrence:
    return Occurrence(split, name, pid, camid, None)


def with_split(split: str, **changes: Any) -> DatasetReport:
    return replace(SOUND, splits={**SOUND.splits, split: replace(SPLIT, **changes)})


def test_a_sound_set_needs_no_word() -> None:
    findings = judge_dataset(SOUND, ALL_MATCH)
    assert (findings.errors, findings.warnings) == ((), ())


TRAIN, TEST, OTHER = used("train", "a.jpg", 1), used("gallery", "b.jpg", 5), used("train", "c.jpg", 2)
ERRORS = [
    (
        with_split("train", images=0, identities=0),
        "the training set is empty: nothing can be learned from it",
    ),
    (
        with_split("train", identities=1),
        "the training set shows 1 identity: at least 2 are needed to tell them apart",
    ),
    (
        with_split("train", without_identity=3),
        "3 training images have identity 0 or -1, which stand for distractors and junk: number the "
        "identities from 1",
    ),
    (with_split("query", images=0), "the query set is empty: nothing can be scored"),
    (
        replace(SOUND, unreadable=(Problem("a.jpg", "image a.jpg does not exist"),)),
        "1 image cannot be read; the first: image a.jpg does not exist",
    ),
    (
        replace(SOUND, empty_boxes=(Problem("a", "box a"), Problem("b", "box b"))),
        "2 boxes are empty; the first: box a",
    ),
    (
        replace(SOUND, shared_identities=(4, 5, 6, 7, 8, 9)),
        "6 identities are in the training set and in the test set (4, 5, 6, 7, 8, ...): split the data "
        "by identity",
    ),
    (
        replace(SOUND, shared_identities=(4,)),
        "1 identity is in the training set and in the test set (4): split the data by identity",
    ),
    (
        replace(SOUND, train_test_pairs=(Pair(TEST, TRAIN, 0.01),)),
        "1 test image is nearly the same as a training image, the first: b.jpg (identity 5) and "
        "a.jpg (1); remove them from one of the two",
    ),
]


@pytest.mark.parametrize(("report", "sentence"), ERRORS)
def test_each_error(report: DatasetReport, sentence: str) -> None:
    findings = judge_dataset(report, ALL_MATCH)
    assert (findings.errors, findings.warnings) == ((sentence,), ())


WARNINGS = [
    (
        replace(SOUND, copies=((TRAIN, replace(OTHER, pid=1)),)),
        "1 image is more than once in the train set, the first: a.jpg is c.jpg",
    ),
    (
        replace(SOUND, copies=((used("query", "q.jpg", 3), used("gallery", "g.jpg", 4)),)),
        "1 image has several identities, the first: q.jpg is 3 and g.jpg, the same image, is 4",
    ),
    (
        replace(SOUND, query_gallery_pairs=(Pair(used("query", "q.jpg", 3), TEST, 0.01),)),
        "1 query is nearly the same as a gallery image of another identity, the first: q.jpg (identity "
        "3) and b.jpg (5)",
    ),
    (
        replace(SOUND, cut_boxes=(replace(TRAIN, box=(-1, 0, 9, 9)),)),
        "1 box lies partly outside the image, the first: (-1, 0, 9, 9) of a.jpg; the rest is used",
    ),
    (
        with_split("train", single_image_identities=1),
        "1 of 2 training identities have one image only: a batch can only repeat it",
    ),
    (
        with_split("train", images_per_identity=Spread(1, 2.5, 1026)),
        "the largest training identity has 1,026 images, the median one 2.5: P x K batches balance "
        "this, plain shuffling does not",
    ),
]


@pytest.mark.parametrize(("report", "sentence"), WARNINGS)
def test_each_warning(report: DatasetReport, sentence: str) -> None:
    findings = judge_dataset(report, ALL_MATCH)
    assert (findings.errors, findings.warnings) == ((), (sentence,))


def test_a_leaked_copy_is_also_a_conflict_of_identities() -> None:
    findings = judge_dataset(replace(SOUND, copies=((TRAIN, OTHER, TEST),)), ALL_MATCH)
    assert findings.errors == (
        "1 training image is also in the test set, the first: a.jpg is b.jpg; remove them from one of "
        "the two",
    )
    assert findings.warnings == (
        "1 image is more than once in the train set, the first: a.jpg is c.jpg",
        "1 image has several identities, the first: a.jpg is 1 and c.jpg, the same image, is 2",
    )


def test_frames_of_one_track_and_tenfold_imbalance_are_normal() -> None:
    pair = Pair(used("query", "q.jpg", 5), TEST, 0.01)
    report = with_split("train", images_per_identity=Spread(1, 2, 20))
    findings = judge_dataset(replace(report, query_gallery_pairs=(pair,)), ALL_MATCH)
    assert findings.warnings == ()


def test_copies_that_the_camera_rule_leaves_out_do_no_harm() -> None:
    def report(gallery_camid: int, gallery_pid: int = 3) -> DatasetReport:
        group = (used("query", "q.jpg", 3, 1), used("gallery", "g.jpg", gallery_pid, gallery_camid))
        return replace(SOUND, copies=(group,))

    assert scored_copies(report(1), uses_cameras=True) == ()
    assert scored_copies(report(1, gallery_pid=4), uses_cameras=False) == ()
    assert len(scored_copies(report(1), uses_cameras=False)) == 1
    assert len(scored_copies(report(2), uses_cameras=True)) == 1
    assert judge_dataset(report(1), ALL_MATCH).errors == ()
    assert judge_dataset(report(1), replace(ALL_MATCH, use_cameras=False)).errors == (
        "1 query has a copy of itself in the gallery that counts as a match, the first: q.jpg is g.jpg; "
        "remove the copies from the gallery",
    )


def test_an_unknown_camera_is_never_the_own_one() -> None:
    group = (used("query", "q.jpg", 3, -1), used("gallery", "g.jpg", 3, -1), used("gallery", "h.jpg", 3, -1))
    copies = scored_copies(replace(SOUND, copies=(group,)), uses_cameras=True)
    assert [(query.path, copy.path) for query, copy in copies] == [("q.jpg", "g.jpg")]


def test_queries_without_a_match() -> None:
    some = replace(ALL_MATCH, num_scored=5, num_only_same_camera=2, num_absent=1)
    findings = judge_dataset(SOUND, some)
    assert findings.errors == ()
    assert findings.warnings == (
        "only 5 of 8 queries have a match from another camera among 8 gallery images (0 distractors); 2 "
        "match in their own camera only, 1 not at all",
    )
    assert judge_dataset(SOUND, "nothing can be scored").errors == ("nothing can be scored",)


def test_two_letters_that_are_alike_do_not_spoil_thousands() -> None:
    """As in Omniglot, where nobody has touched anything."""
    pairs = (Pair(TEST, TRAIN, 0.01),)
    large = replace(with_split("query", images=13_180), train_test_pairs=pairs)
    findings = judge_dataset(large, ALL_MATCH)
    assert findings.errors == ()
    assert findings.warnings[0].startswith("1 test image is nearly the same as a training image, so few")
    assert judge_dataset(replace(large, train_test_pairs=pairs * 20), ALL_MATCH).errors
    copied = replace(with_split("query", images=13_180), copies=((TRAIN, TEST),))
    assert judge_dataset(copied, ALL_MATCH).errors  # an exact copy is no chance
