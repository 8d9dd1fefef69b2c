from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.image_tree import list_tree

MakeFiles = Callable[[Path, Iterable[str]], Path]


def test_pictures_at_any_depth_by_name(tmp_path: Path, make_files: MakeFiles) -> None:
    wanted = ("Z.JPG", "a b/ü.jpeg", "a b/日本/c.png", "a.webp", "b/1.bmp", "b/10.tif", "b/2.tiff")
    ignored = ("notes.txt", "b/.hidden.jpg", ".git/d.jpg", "Thumbs.db", "b/jpg", "__MACOSX/._a.jpg")
    make_files(tmp_path, [*reversed(wanted), *ignored])
    (tmp_path / "folder.jpg").mkdir()
    assert list_tree(tmp_path) == sorted(wanted)


def test_links_are_followed(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path / "elsewhere", ["a.jpg", "deep/b.jpg"])
    make_files(tmp_path / "root", ["c.jpg"])
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "d.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")
    (tmp_path / "root" / "broken.jpg").symlink_to(tmp_path / "nothing.jpg")
    assert list_tree(tmp_path / "root") == ["c.jpg", "d.jpg", "linked/a.jpg", "linked/deep/b.jpg"]


def test_links_in_circles_are_followed_once(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_files(tmp_path / "root", ["a/1.jpg", "b/2.jpg", "c/d/3.jpg"])
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "further_up").symlink_to(tmp_path)
    (root / "a" / "to_b").symlink_to(root / "b")
    (root / "b" / "to_a").symlink_to(root / "a")
    (root / "c" / "d" / "to_c").symlink_to("..")
    (root / "itself").symlink_to(root / "itself")
    (root / "itself.jpg").symlink_to(root / "itself.jpg")
    assert list_tree(root) == [
        *("a/1.jpg", "a/to_b/2.jpg", "b/2.jpg", "b/to_a/1.jpg"),
        "c/d/3.jpg",
    ]
    assert f"link {root / 'a' / 'up'} leads back to a folder around it: not followed" in caplog.messages


def test_no_such_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(FileNotFoundError, match=f"{name} does not exist: give the folder that holds"):
            list_tree(tmp_path / name)
