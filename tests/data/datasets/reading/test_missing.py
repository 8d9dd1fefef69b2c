from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.missing import describe_miss

MakeFiles = Callable[[Path, Iterable[str]], Path]
VARIANTS = (("train_set", "query", "test_set"),)


def describe(root: Path) -> str:
    return describe_miss(root, "Tiny", ("Tiny-1501", "tiny"), VARIANTS, "Tiny-1501/\n    train_set/\n")


def nearest(root: Path) -> str:
    return next(line for line in describe(root).splitlines() if line.startswith("nearest match: "))[15:]


def test_says_expected_found_nearest_and_what_to_do(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["somewhere/query/1.jpg", "b.txt", ".hidden"])
    assert describe(tmp_path).splitlines() == [
        f"Tiny is not in {tmp_path}",
        "expected (this folder, its parent, or a part of it; the folder may be called Tiny-1501, tiny):",
        "    Tiny-1501/",
        "        train_set/",
        f"found in {tmp_path}: b.txt, somewhere/",
        f"nearest match: {tmp_path / 'somewhere'}, which lacks train_set, test_set",
        "give the right folder, or see the project's data/README.md for where to get the data set; "
        "nothing is downloaded for you",
    ]


def test_many_entries_are_cut_short(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, [f"{i:02d}" for i in range(20)])
    assert f"found in {tmp_path}: 00, 01, 02, 03, 04, 05, 06, 07 and 12 more\n" in describe(tmp_path)


@pytest.mark.parametrize(("count", "more"), [(999, "991"), (1_000, "at least 992"), (1_100, "at least 992")])
def test_the_number_of_entries_is_right(tmp_path: Path, make_files: MakeFiles, count: int, more: str) -> None:
    make_files(tmp_path, map(str, range(count)))
    assert f" and {more} more\n" in describe(tmp_path)


def test_an_empty_root_has_no_nearest_match(tmp_path: Path) -> None:
    assert f"found in {tmp_path}: nothing\nnearest match: none\n" in describe(tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("typo", "does not exist"), ("typo/deeper", "does not exist"), ("file.txt", "is a file")],
)
def test_a_root_that_is_no_folder_is_said_and_its_neighbours_searched(
    tmp_path: Path, make_files: MakeFiles, name: str, reason: str
) -> None:
    make_files(tmp_path, ["mine/train_set/1", "mine/query/1", "mine/test_set/1", "file.txt"])
    assert f"found in {tmp_path} ({tmp_path / name} {reason}): file.txt, mine/\n" in describe(tmp_path / name)
    assert nearest(tmp_path / name) == f"{tmp_path / 'mine'}, which holds everything: give this folder"


def test_the_name_of_an_absent_root_is_compared_with_its_neighbours(
    tmp_path: Path, make_files: MakeFiles
) -> None:
    make_files(tmp_path, ["holiday_photos/1.jpg", "work/1.jpg"])
    assert nearest(tmp_path / "hollidayphotos") == f"{tmp_path / 'holiday_photos'}, for hollidayphotos"


def test_the_fullest_folder_up_to_two_levels_down_is_nearest(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["a/query/1", "b/c/query/1", "b/c/test_set/1", "d/e/f/train_set/1"])
    assert nearest(tmp_path) == f"{tmp_path / 'b' / 'c'}, which lacks train_set"


def test_a_whole_variant_is_nearer_than_much_of_another(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["a/query/1", "a/test_set/1", "b/all.mat"])
    text = describe_miss(tmp_path, "Tiny", ("tiny",), (*VARIANTS, ("all.mat",)), "tree")
    assert f"nearest match: {tmp_path / 'b'}, which holds everything: give this folder\n" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("trian_set/1.jpg", "trian_set, for train_set"), ("x/Tiny1501/1.jpg", "x/Tiny1501, for Tiny-1501")],
)
def test_a_similar_name_is_nearest(tmp_path: Path, make_files: MakeFiles, name: str, expected: str) -> None:
    make_files(tmp_path, [name, "unrelated/1.jpg"])
    assert nearest(tmp_path) == str(tmp_path / expected)


def test_an_archive_is_recognised(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["Tiny-1501.zip"])
    assert nearest(tmp_path) == f"{tmp_path / 'Tiny-1501.zip'}, an archive: unpack it first"


def test_a_folder_that_cannot_be_read_is_said(
    tmp_path: Path, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_files(tmp_path, ["a/query/1"])

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    assert ": it cannot be read (Permission denied)\nnearest match: none" in describe(tmp_path)
