from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.entries import has_image_name, is_folder, is_image


@pytest.fixture
def entry(tmp_path: Path) -> Callable[[str], os.DirEntry[str]]:
    def find(name: str) -> os.DirEntry[str]:
        with os.scandir(tmp_path) as entries:
            return {found.name: found for found in entries}[name]

    return find


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", True),
        ("A.PNG", True),
        ("a.b.tiff", True),
        (".a.jpg", False),
        ("a.txt", False),
        ("jpg", False),
    ],
)
def test_names(name: str, expected: bool, tmp_path: Path, entry: Callable[[str], os.DirEntry[str]]) -> None:
    (tmp_path / name).touch()
    assert has_image_name(entry(name)) is expected
    assert is_image(entry(name)) is expected
    assert not is_folder(entry(name))


def test_folders_and_links_to_them(tmp_path: Path, entry: Callable[[str], os.DirEntry[str]]) -> None:
    (tmp_path / "sub.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("sub.jpg")
    (tmp_path / "picture").touch()
    (tmp_path / "image.jpg").symlink_to("picture")
    for name in ("sub.jpg", "link.jpg"):
        assert is_folder(entry(name))
        assert not is_image(entry(name))
    assert not is_folder(entry("image.jpg"))
    assert is_image(entry("image.jpg"))


def test_links_that_lead_nowhere_are_images_by_their_name_or_an_error(
    tmp_path: Path, entry: Callable[[str], os.DirEntry[str]]
) -> None:
    for name in ("gone.jpg", "gone", "loop"):
        (tmp_path / name).symlink_to("loop" if name == "loop" else "nowhere")
    assert is_image(entry("gone.jpg"))
    for name, reason in (("gone", "No such file"), ("loop", "Too many levels")):
        assert not is_image(entry(name))
        with pytest.raises(
            FileNotFoundError, match=rf"link .*{name} leads nowhere \({reason}.*mount the disk"
        ):
            is_folder(entry(name))


def test_a_pipe_is_no_image(tmp_path: Path, entry: Callable[[str], os.DirEntry[str]]) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "a")
    assert not is_image(entry("a"))
    with pytest.raises(ValueError, match=r"image .*a\.jpg is a pipe, socket or device: remove it"):
        is_image(entry("a.jpg"))
