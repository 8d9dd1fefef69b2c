from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.class_images import list_folders, read_class_folder
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]


def test_folders_by_name_without_files_and_hidden_ones(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["b 2/x", "ä/x", "B/x", "b 10/x", ".git/x", "notes.txt"])
    (tmp_path / "link").symlink_to(tmp_path / "B")
    assert list_folders(tmp_path) == ["B", "b 10", "b 2", "link", "ä"]
    for target in ("gone", "nowhere"):
        (tmp_path / "gone").unlink(missing_ok=True)
        (tmp_path / "gone").symlink_to(tmp_path / target)
        with pytest.raises(FileNotFoundError, match=r"gone leads nowhere \(.*\): mount the disk"):
            list_folders(tmp_path)


def test_no_folder_is_said(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["a.jpg", ".hidden/a.jpg"])
    with pytest.raises(FileNotFoundError, match=rf"no folder in {tmp_path}: expected one for each class"):
        list_folders(tmp_path)


def test_images_of_a_class(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["b.JPG", "a ü.png", "Thumbs.db", ".a.png", "deeper/c.png"])
    assert read_class_folder(tmp_path, 7) == [
        Sample(str(tmp_path / "a ü.png"), 7, -1),
        Sample(str(tmp_path / "b.JPG"), 7, -1),
    ]


def test_an_empty_class_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"no image in {tmp_path}: expected files ending in"):
        read_class_folder(tmp_path, 1)
