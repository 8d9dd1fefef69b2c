from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from reid_gl.data.loading.images import MAX_FILE_BYTES, UnreadableImageError, check_image, read_image
from reid_gl.untrusted import regular_file
from reid_gl.untrusted.regular_file import quoted, read_lines, read_regular_file, why_no_file


def test_all_bytes_of_a_file_or_of_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(tmp_path / "file", max_bytes=3) == b"abc"
    assert read_regular_file(str(tmp_path / "link"), max_bytes=3) == b"abc"
    with pytest.raises(ValueError, match=r"file has 3 bytes, more than the limit of 2: remove it"):
        read_regular_file(tmp_path / "file", max_bytes=2)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)  # the whole path is too long for a socket


@pytest.mark.parametrize(
    ("make", "kind"),
    [(_pipe, "a pipe"), (_device, "a device"), (_socket, "a socket"), (Path.mkdir, "a folder")],
)
def test_what_is_no_regular_file_is_refused_and_never_opened(
    make: object, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.jpg"
    make(path)  # type: ignore[operator]
    message = f"image {path} is not a file but {kind}: remove it or give a regular file"
    with pytest.raises(UnreadableImageError) as caught:
        read_image(path)
    assert str(caught.value) == check_image(path) == message


def test_a_huge_sparse_file_and_a_loop_of_links_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(UnreadableImageError, match=f"more than the limit of {MAX_FILE_BYTES:,}"):
        read_image(tmp_path / "sparse.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(UnreadableImageError, match=r"loop\.jpg cannot be opened: Too many levels"):
        read_image(tmp_path / "loop.jpg")


def test_lines_of_a_text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffa\r\nZoë\n\nlast".encode())
    assert [line.strip() for line in read_lines(path)] == ["a", "Zoë", "", "last"]
    with pytest.raises(ValueError, match=r"a\.txt has 16 bytes, more than the limit of 15"):
        next(read_lines(path, max_bytes=15))
    monkeypatch.setattr(regular_file, "MAX_LINE", 4)
    path.write_text("a\nbbbbbb\n")
    with pytest.raises(ValueError, match=r"line 2 of .*a\.txt has more than 4 characters: it is broken"):
        list(read_lines(path))
    path.write_bytes(b"a\xff")
    with pytest.raises(ValueError, match=r"a\.txt is not UTF-8 text \(invalid start byte\): save it"):
        list(read_lines(path))


def test_messages_repeat_little_of_a_file() -> None:
    assert quoted("a'b") == repr("a'b")
    assert len(quoted("x" * 10**6)) < 300


def test_why_a_path_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nothing").symlink_to(tmp_path / "gone")
    (tmp_path / "zero").symlink_to("/dev/zero")
    expected = {
        "pipe": "is not a file but a pipe",
        "zero": "is not a file but a device",
        ".": "is not a file but a folder",
        "itself": "is a link to nothing",
        "nothing": "is a link to nothing",
        "gone": "does not exist",
    }
    assert {name: why_no_file(tmp_path / name) for name in expected} == expected
