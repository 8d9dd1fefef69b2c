from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.datasets.reading.folders import list_images
from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.data.loading.loaders import check_images
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]


def test_images_at_any_depth_by_name(tmp_path: Path, make_files: MakeFiles) -> None:
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
    assert list_tree(tmp_path / "root") == ["c.jpg", "d.jpg", "linked/a.jpg", "linked/deep/b.jpg"]


def test_images_that_lead_nowhere_are_listed_so_that_their_reader_complains(
    tmp_path: Path, make_files: MakeFiles
) -> None:
    make_files(tmp_path, ["c.jpg"])
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    assert list_tree(tmp_path) == ["broken.jpg", "c.jpg", "itself.jpg"]
    with pytest.raises(
        UnreadableImageError, match=r"3 of 3 images cannot be read: .*broken.jpg .*itself.jpg"
    ):
        check_images([Sample(str(tmp_path / name), 1) for name in list_tree(tmp_path)])


@pytest.mark.parametrize("target", ["unmounted/0001", "itself"])
def test_a_link_that_may_have_been_a_folder(target: str, tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["a/c.jpg"])
    (tmp_path / "itself").symlink_to(tmp_path / target)
    with pytest.raises(FileNotFoundError, match=r"link .*itself leads nowhere \(.*\): mount the disk"):
        list_tree(tmp_path)


def test_a_folder_that_may_not_be_read(
    tmp_path: Path, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_files(tmp_path, ["a/c.jpg", "b/d.jpg"])
    scan = os.scandir

    def refuse(path: str) -> object:  # tests run as root, who may read everything
        if path.rstrip("/").endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied: .*b/'"):
        list_tree(tmp_path)


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"image .*a.jpg is a pipe, socket or device: remove it"):
        list_tree(tmp_path)
    with pytest.raises(ValueError, match=r"image .*a.jpg is a pipe, socket or device: remove it"):
        list_images(tmp_path)


def test_links_in_circles_are_followed_once(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_files(tmp_path / "root", ["a/1.jpg", "b/2.jpg", "c/d/3.jpg"])
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "further_up").symlink_to(tmp_path)
    (root / "a" / "to_b").symlink_to(root / "b")
    (root / "b" / "to_a").symlink_to(root / "a")
    (root / "c" / "d" / "to_c").symlink_to("..")
    assert list_tree(root) == [
        *("a/1.jpg", "a/to_b/2.jpg", "b/2.jpg", "b/to_a/1.jpg"),
        "c/d/3.jpg",
    ]
    assert f"link {root / 'a' / 'up'} leads back to a folder around it: not followed" in caplog.messages


def test_folders_that_link_to_one_another_are_refused_at_once(tmp_path: Path) -> None:
    """Twelve of them can be walked through in more than a billion orders, and none of these is a circle."""
    for one in range(12):
        (tmp_path / f"{one}").mkdir()
        for other in {*range(12)} - {one}:
            (tmp_path / f"{one}" / f"to{other}").symlink_to(tmp_path / f"{other}")
    with pytest.raises(ValueError, match=r"links below .* lead to .* in more than 100 ways: remove links"):
        list_tree(tmp_path)
    chain = tmp_path / "chain"
    for depth in range(40):  # two ways to the next one, 2^39 to the last
        (chain / f"{depth}").mkdir(parents=True)
        for way in "ab":
            (chain / f"{depth}" / way).symlink_to(chain / f"{depth + 1}")
    (chain / "40").mkdir()
    with pytest.raises(ValueError, match="in more than 100 ways"):
        list_tree(chain / "0")


def test_no_such_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="nowhere does not exist: give the folder that holds"):
        list_tree(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match="file is a file: give the folder that holds the images"):
        list_tree(tmp_path / "file")
