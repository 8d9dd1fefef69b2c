from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.image_lists import place_inside, read_image_list

ROW = r"(?P<path>\S.*\S)[ \t]+(?P<pid>\d+)"


def read(path: Path, *, counted: bool = False) -> dict[str, str]:
    """Class of each image, as printed."""
    rows = read_image_list(path, "/data", titles="name class", row=ROW, example="a.jpg 1", counted=counted)
    return {image: match["pid"] for image, match in rows.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_marks_blanks_and_names_of_any_kind(path: Path, end: str, mark: str) -> None:
    lines = [f"{mark}name \t class ", "", "b/a.jpg 02", "\t./b//wide\u2028name ü.jpg \t 1  ", "c\x0bd.jpg  3"]
    path.write_bytes(end.join(lines).encode())
    expected = {"/data/b/a.jpg": "02", "/data/b/wide\u2028name ü.jpg": "1", "/data/c\x0bd.jpg": "3"}
    assert read(path) == expected
    assert list(read(path)) == list(expected)


def test_a_count_before_the_titles_is_checked(path: Path) -> None:
    path.write_text("2\nname class\na.jpg 1\nb.jpg 1\n", encoding="utf-8")
    assert read(path, counted=True) == {"/data/a.jpg": "1", "/data/b.jpg": "1"}
    path.write_text("3\nname class\na.jpg 1\nb.jpg 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"list\.txt names 2 images: line 1 says 3; take it from the data"):
        read(path, counted=True)
    path.write_text("0\nname class\na.jpg 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"list\.txt names 1 images: line 1 says 0"):
        read(path, counted=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"list\.txt ends too early: expected the titles 'name class'"),
        ("name class\n", r"list\.txt names no image: expected rows such as 'a\.jpg 1'"),
        ("a.jpg 1\n", r"line 1 of .*list\.txt reads 'a\.jpg 1': expected the titles 'name class'; take it"),
        (
            "name class\na.jpg 1\n\nb.jpg\n",
            r"line 4 of .*list\.txt reads 'b\.jpg': expected a row such as 'a",
        ),
        (
            "name class\na.jpg 1\n./a.jpg 2\n",
            r"line 3 of .* names '\./a\.jpg' again: expected each image onc",
        ),
        (
            "name class\n../a.jpg 1\n",
            r"line 2 of .* names the image '\.\./a\.jpg': expected a path inside /da",
        ),
    ],
)
def test_a_mistake_is_named_by_its_line(path: Path, text: str, message: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the number of images"),
        ("x\n", r"line 1 .* reads 'x': expected the number"),
        ("2\n", "title"),
    ],
)
def test_a_list_without_its_count_is_refused(path: Path, text: str, message: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(path, counted=True)


def test_other_encodings_are_refused(path: Path) -> None:
    path.write_bytes("name class\nü.jpg 1".encode("latin-1"))
    with pytest.raises(ValueError, match=r"list\.txt is not UTF-8 text \(.*\): save it in UTF-8"):
        read(path)


@pytest.mark.parametrize(
    "name",
    ["", ".", "/etc/x.jpg", "//host/x.jpg", "a/../../x.jpg", "..", "..\\x.jpg", "C:\\x.jpg", "C:x", "\\x"],
)
def test_paths_out_of_the_folder_are_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"^line 3 names the image .*: expected a path inside /data, not abs"
    ):
        place_inside("/data", name, "line 3")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a..b/c.jpg", "/data/a..b/c.jpg"), ("./a//b.jpg", "/data/a/b.jpg"), ("...", "/data/...")],
)
def test_paths_inside_are_joined(name: str, expected: str) -> None:
    assert place_inside(Path("/data"), name, "here") == expected
