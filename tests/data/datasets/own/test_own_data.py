from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_gl.data.datasets.own.own_data import (
    LabelledImage,
    as_samples,
    assemble,
    is_within,
    number_names,
    whole_number,
)
from reid_gl.records import ReidDataset, Sample

SOURCE = Path("somewhere")


def number(*names: str, first: int = 1, lowest: int = -1) -> dict[str, int]:
    return number_names(names, first=first, lowest=lowest, kind="identities")


def put_together(*images: LabelledImage) -> ReidDataset:
    return assemble(images, name="mine", source=SOURCE)


def images_of(identities: Sequence[str], split: str) -> list[LabelledImage]:
    return [LabelledImage(f"{split}{place}", pid, split) for place, pid in enumerate(identities)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7), ("-1", -1), ("007", 7), ("7.0", 7), ("7.", 7), ("+3", 3), ("9" * 18, 10**18 - 1)]
    + [(text, None) for text in ("", "7.5", "7a", "-", "1e3", "nan", " 7", "٧", "9" * 19)],
)
def test_what_a_whole_number_is(text: str, expected: int | None) -> None:
    assert whole_number(text) == expected


def test_whole_numbers_are_kept_and_names_are_numbered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert number("0007", "12", "-1", "12") == {"0007": 7, "12": 12, "-1": -1}
    assert caplog.records == []
    assert number("zoe", "10", "anna", "zoe") == {"10": 1, "anna": 2, "zoe": 3}
    assert caplog.messages == [
        "identities are numbered from 1 in the order of their names: '10' is 1, 'zoe' is 3"
    ]
    assert number("1", "-2") == {"-2": 1, "1": 2}  # below the lowest: all are names
    assert number("0", "1", lowest=1) == {"0": 1, "1": 2}
    assert number("hall", "door", first=0) == {"door": 0, "hall": 1}
    assert number() == {}


def test_the_two_spellings_of_an_accent_are_one_name() -> None:
    composed, decomposed = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert number("Zoe", composed, "Jos", decomposed) == {"Jos": 1, composed: 2, decomposed: 2, "Zoe": 3}


@given(names=st.lists(st.text(min_size=1), min_size=1))
def test_numbers_do_not_depend_on_order_or_repetition(names: list[str]) -> None:
    try:
        numbers = number(*names)
    except ValueError:
        with pytest.raises(ValueError, match="are the same number"):
            number(*names[::-1])
        return
    assert number(*names[::-1], *names) == numbers
    different = {unicodedata.normalize("NFC", name) for name in names}
    assert len(set(numbers.values())) == len(different)


def test_one_number_in_two_spellings_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"identities '007' and '7' are the same number: write it in one way"
    ):
        number("7", "007", "8")
    with pytest.raises(ValueError, match=r"'7' and '7\.0' are the same number"):
        number("7", "7.0")
    assert number("7", "007", "x") == {"007": 1, "7": 2, "x": 3}  # names, so they differ


def test_samples_keep_order_camera_box_and_track() -> None:
    images = [
        LabelledImage("b", "zoe", camid=2, box=(1, 2, 3, 4), tracklet=5),
        LabelledImage("a", "anna"),
    ]
    assert as_samples(images) == [Sample("b", 2, 2, (1, 2, 3, 4), 5), Sample("a", 1)]


def test_parts_are_sorted_and_junk_is_left_out() -> None:
    dataset = put_together(
        LabelledImage("z", "1", "train", 0),
        LabelledImage("c", "2", "query", 0),
        LabelledImage("e", "-1", "gallery", 0),
        LabelledImage("d", "2", "gallery", 1, (5, 0, 9, 9)),
        LabelledImage("d", "0", "gallery", 1, (0, 0, 9, 9)),
        LabelledImage("a", "1", "train", 1),
    )
    assert dataset.train == (Sample("a", 1, 1), Sample("z", 1, 0))
    assert dataset.query == (Sample("c", 2, 0),)
    assert dataset.gallery == (Sample("d", 0, 1, (0, 0, 9, 9)), Sample("d", 2, 1, (5, 0, 9, 9)))
    assert (dataset.name, dataset.ks) == ("mine", ())


def test_without_a_gallery_it_is_image_retrieval(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    dataset = put_together(LabelledImage("a", "1", "query"), LabelledImage("b", "2", "train"))
    assert dataset.ks == (1, 2, 4, 8)
    assert caplog.messages == ["mine has no gallery: every query searches all the others"]
    assert put_together(LabelledImage("b", "2", "train")).ks == ()


def test_identities_of_training_and_test_differ() -> None:
    train, gallery = images_of(["anna", "bo", "zoe"], "train"), images_of(["bo", "anna", "x"], "gallery")
    with pytest.raises(
        ValueError,
        match=r"identity 'anna' and 1 more like it is in train \(train0\) and in gallery \(gallery1\) of "
        r"somewhere: .* let reid-gl make-split make them",
    ):
        put_together(*train, *gallery)
    with pytest.raises(ValueError, match=r"identity '3' is in train \(train1\) and in query \(query0\)"):
        put_together(*images_of(["1", "3"], "train"), *images_of(["3"], "query"))
    shared = put_together(*images_of(["0", "-1", "1"], "train"), *images_of(["0", "-1", "2"], "gallery"))
    assert [sample.pid for sample in shared.gallery] == [0, 2]  # distractors and junk show nobody


def test_unknown_cameras_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    images = [LabelledImage("a", "1", "query"), LabelledImage("b", "1", "gallery", 0)]
    for _ in range(2):
        put_together(*images)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "mine: 1 of 2 images in somewhere have no camera" in record.getMessage()
    assert "(camera rule off)" in record.getMessage()


def test_people_counted_from_0(caplog: pytest.LogCaptureFixture) -> None:
    images = [
        LabelledImage("a", "0", "query", 0),
        LabelledImage("b", "0", "gallery", 1),
        LabelledImage("c", "1", "gallery", 1),
        LabelledImage("d", "-1", "gallery", 1),
        LabelledImage("e", "2", "train", 1),
    ]
    dataset = put_together(*images)
    pids = [[sample.pid for sample in side] for side in (dataset.train, dataset.query, dataset.gallery)]
    assert pids == [[3], [1], [1, 2]]
    (message,) = caplog.messages
    assert "mine: a query in somewhere has identity 0, so people are counted from 0 there" in message
    with pytest.raises(ValueError, match="identity '0' is in train"):
        put_together(*images, LabelledImage("f", "0", "train", 0))


def test_an_identity_0_that_no_query_has_is_a_distractor() -> None:
    dataset = put_together(
        LabelledImage("a", "1", "query", 0),
        LabelledImage("b", "1", "gallery", 1),
        LabelledImage("c", "0", "gallery", 1),
    )
    assert [sample.pid for sample in dataset.gallery] == [1, 0]


def test_what_lies_in_a_folder() -> None:
    assert is_within("/a/b", "/a/b")
    assert is_within(os.path.join("/a/b", "c"), "/a/b")
    assert is_within("/a", "/")
    assert not is_within("/a/bc", "/a/b")
    assert not is_within("/a", "/a/b")
