from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.untrusted.csv_lines import read_csv_lines


def test_lines_with_text_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b'\xef\xbb\xbfa, b\r\n\r\n , \n1,"two, or\n2"\n')
    assert list(read_csv_lines(path)) == [(1, ["a", "b"]), (5, ["1", "two, or\n2"])]


def test_another_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    path.write_text("a,b\tc\n")
    assert list(read_csv_lines(path, delimiter="\t")) == [(1, ["a,b", "c"])]


def test_a_broken_quote_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('a,b\n1,"x"y\n')
    with pytest.raises(ValueError, match=r"line 2 of .*list\.csv cannot be read: "):
        list(read_csv_lines(path))
