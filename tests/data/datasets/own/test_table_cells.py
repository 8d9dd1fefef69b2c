from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.datasets.own.table_cells import (
    check_identity,
    number_labels,
    parse_split,
    read_label,
    with_slashes,
)


def test_backslashes_are_folders_unless_a_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a\\b.jpg").touch()
    assert with_slashes("deep\\c.jpg", str(tmp_path)) == "deep/c.jpg"
    assert with_slashes("a\\b.jpg", str(tmp_path)) == "a\\b.jpg"
    assert with_slashes("deep/c.jpg", str(tmp_path)) == "deep/c.jpg"


@pytest.mark.parametrize("text", ["-1", "0", "12", "anna", "1.2", "e3", "3e5x"])
def test_names_and_numbers_are_identities(text: str) -> None:
    check_identity(text, "line 2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 2: pid is missing"),
        ("-2", "line 2: pid must be a name or a whole number from -1, got '-2'"),
        ("1.2E+07", "line 2: pid '1.2E.07' is a number that a spreadsheet has shortened"),
        ("1,2e+07", "shortened, digits are lost"),
    ],
)
def test_what_is_no_identity(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_identity(text, "line 2")


def test_splits() -> None:
    for split in ("train", "query", "gallery"):
        assert parse_split(split, "line 2") == split
    assert parse_split("test", "line 2", has_roles=True) == "test"
    with pytest.raises(ValueError, match=r"either looked for \(query\) or searched \(gallery\)"):
        parse_split("test", "line 2")
    with pytest.raises(
        ValueError, match=r"line 2: split must be one of .* got 'Galery'; nearest: 'gallery'$"
    ):
        parse_split("Galery", "line 2")
    with pytest.raises(ValueError, match=r"got 'zzz'$"):
        parse_split("zzz", "line 2", has_roles=True)


def test_labels_that_may_be_left_out() -> None:
    texts = ["7", "0", "-1", "", "nan", "hall", "2.0"]
    labels = [read_label({"camid": text}, "camid", "line 2") for text in texts]
    assert labels == ["7", "0", "", "", "", "hall", "2.0"]
    assert read_label({}, "camid", "line 2") == ""
    for text in ("-2", "1.5", "1e3"):
        with pytest.raises(
            ValueError, match=f"line 2: camid must be a name, a whole number from 0, .* got '{text}'"
        ):
            read_label({"camid": text}, "camid", "line 2")


def test_whole_numbers_are_kept_and_names_are_numbered_in_their_order() -> None:
    assert number_labels(["7", "", "07", "2.0"], kind="cameras") == [7, -1, 7, 2]
    assert number_labels(["hall", "", "door", "hall"], kind="cameras") == [1, -1, 0, 1]
    assert number_labels(["7", "hall"], kind="cameras") == [0, 1]
    assert number_labels(["", ""], kind="cameras") == [-1, -1]
