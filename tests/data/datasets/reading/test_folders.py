from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images, require_files

MakeFiles = Callable[[Path, Iterable[str]], Path]
LAYOUT = Layout("Tiny", ("Tiny-v1", "tiny"), (("a/train", "a/test"), ("all.mat",)), "tiny/\n    a/")
FILES = ("a/train/x.jpg", "a/test/y.jpg")


@pytest.mark.parametrize("home", ["", "tiny", "TINY", "Tiny-v1", "tiny/Tiny-v1", "tiny/tiny/Tiny-v1"])
def test_finds_the_folder_itself_and_below_common_names(
    tmp_path: Path, make_files: MakeFiles, home: str
) -> None:
    make_files(tmp_path / home, FILES)
    assert find_folder(tmp_path, LAYOUT) == (tmp_path / home, LAYOUT.variants[0])
    assert find_folder(str(tmp_path / home), LAYOUT)[0] == tmp_path / home


@pytest.mark.parametrize("part", ["a", "a/train", "a/test"])
def test_finds_the_folder_around_one_of_its_parts(
    tmp_path: Path, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    make_files(tmp_path, FILES)
    assert find_folder(tmp_path / part, LAYOUT)[0] == tmp_path
    monkeypatch.chdir(tmp_path / part)
    assert find_folder(".", LAYOUT)[0] == tmp_path


def test_home_is_expanded(tmp_path: Path, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path, FILES)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_folder("~", LAYOUT)[0] == tmp_path


def test_an_earlier_variant_and_an_earlier_name_win(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["all.mat"])
    assert find_folder(tmp_path, LAYOUT) == (tmp_path, ("all.mat",))
    make_files(tmp_path / "tiny", FILES)
    assert find_folder(tmp_path, LAYOUT) == (tmp_path / "tiny", LAYOUT.variants[0])
    make_files(tmp_path / "tiny-V1", FILES)
    assert find_folder(tmp_path, LAYOUT)[0] == tmp_path / "tiny-V1"


@pytest.mark.parametrize("name", ["absent", "file.txt"])
def test_a_miss_is_file_not_found(tmp_path: Path, make_files: MakeFiles, name: str) -> None:
    make_files(tmp_path, ["file.txt"])
    with pytest.raises(FileNotFoundError, match=r"Tiny is not in .*\nexpected"):
        find_folder(tmp_path / name, LAYOUT)


def test_lists_images_by_name_and_nothing_else(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(
        tmp_path,
        [
            "b.jpg",
            "a.PNG",
            "c.jpeg",
            "d.jpg.jpg",
            "Thumbs.db",
            ".e.jpg",
            "f.txt",
            "g.jpg/h.jpg",
            "h.webp",
            "i.BMP",
        ],
    )
    assert list_images(tmp_path) == ["a.PNG", "b.jpg", "c.jpeg", "d.jpg.jpg", "h.webp", "i.BMP"]


def test_a_folder_without_images_is_an_error(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["Thumbs.db"])
    with pytest.raises(FileNotFoundError, match=r"no image in .*expected files ending in \.jpg.*unpack"):
        list_images(tmp_path)


def test_missing_files_are_counted_and_the_first_named(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["1/a.jpg"])
    paths = [str(tmp_path / name) for name in ("2/z.jpg", "1/a.jpg", "1/b.jpg")]
    require_files(paths[1:2], "list.txt")
    with pytest.raises(
        FileNotFoundError, match=r"2 of the 3 images named in list.txt .*first is .*b\.jpg; unpack"
    ):
        require_files(paths, "list.txt")
