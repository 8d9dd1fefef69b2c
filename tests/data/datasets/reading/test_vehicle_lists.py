from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.vehicle_lists import read_vehicle_list

ROW = r"(?P<image>\w+) (?P<vehicle>\d+)"


def test_rows_in_their_order_with_line_ends_of_any_system(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffpicture vehicle\r\n\r\nb 2 \r\na 1\n".encode())
    rows = read_vehicle_list(path, ROW, example="a 1", num_titles=1)
    assert {image: row["vehicle"] for image, row in rows.items()} == {"b": "2", "a": "1"}
    assert list(rows) == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a 1\n../b 2",
            r"line 2 of .*list\.txt reads '\.\./b 2': expected a row such as 'a 1'; take it from",
        ),
        ("a 1\n\nb", "line 3 of .* reads 'b': expected a row such as"),
        ("a 1\na 2", "line 2 of .* reads 'a 2': expected each image once; take it from the data set again"),
        ("\n", r"list\.txt names no image: expected rows such as 'a 1'; take it"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_vehicle_list(tmp_path / "list.txt", ROW, example="a 1")


def test_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("ä 1".encode("latin-1"))
    with pytest.raises(ValueError, match=r"list\.txt is not UTF-8 text \(.*\): save it in UTF-8"):
        read_vehicle_list(tmp_path / "list.txt", ROW, example="a 1")
