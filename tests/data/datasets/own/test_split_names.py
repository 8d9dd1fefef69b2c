from __future__ import annotations

import pytest

from reid_gl.data.datasets.own.split_names import map_splits, read_split_map


def test_a_map_by_hand() -> None:
    assert read_split_map(" training = train, probe=query,extra=ignore ,") == {
        "training": "train",
        "probe": "query",
        "extra": "ignore",
    }
    assert read_split_map("") == {}


@pytest.mark.parametrize("text", ["training", "=train", "a=b", "a=train,a=query", "a=train=query"])
def test_what_is_no_map(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"DATA\.SPLIT_MAP .* (is no pair|is given twice): expected name=split"
    ):
        read_split_map(text)


@pytest.mark.parametrize(
    ("names", "split_map", "splits"),
    [
        (["train", "query", "gallery"], "", ["train", "query", "gallery"]),
        (["bounding_box_train", "query", "bounding_box_test"], "", ["train", "query", "gallery"]),
        (["train", "test"], "", ["train", "query"]),
        (["train", "test", "query"], "test=gallery", ["train", "gallery", "query"]),
        (["train", "extra", "query"], "extra=ignore", ["train", "ignore", "query"]),
        (["train", "query", ""], "*=train", ["train", "train", "train"]),
        (["a", "b"], "a=query,*=ignore", ["query", "ignore"]),
    ],
)
def test_splits_of_names(names: list[str], split_map: str, splits: list[str]) -> None:
    assert list(map_splits(names, read_split_map(split_map)).values()) == splits


def test_names_that_are_unknown_or_exclude_one_another() -> None:
    with pytest.raises(
        ValueError, match=r"there is no split 'probe': expected one of train, .*'probe=train'"
    ):
        map_splits(["train", "probe"], {})
    with pytest.raises(ValueError, match=r"there is no split '': .*DATA\.SPLIT_MAP '\*=train'"):
        map_splits([""], {})
    with pytest.raises(ValueError, match=r"the splits 'test' and 'gallery' exclude one another"):
        map_splits(["train", "test", "gallery"], {})
