"""Which files are opened, by whom, and which are refused."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reid_gl.gallery import DamagedGalleryError, Gallery
from reid_gl.gallery.engines.sqlite.sqlite_file import PAGE_BYTES, open_file
from tests.gallery.made_up_galleries import features, filled, sightings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people?1#.db"


def test_what_the_settings_of_the_file_are(path: Path) -> None:
    filled(path, 3)
    names = [path.name, f"{path.name}.audit.jsonl", f"{path.name}.lock"]
    assert sorted(file.name for file in path.parent.iterdir()) == names
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_only_mode_a_makes_one(path: Path, mode: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"gallery .* does not exist: add features to create it"):
        Gallery(path, mode)
    assert not path.exists()


def test_what_is_no_gallery(path: Path) -> None:
    for content, message in (
        (b"", "is empty and not a gallery"),
        (b"name,camera\n" * 50, "is not a gallery of this package, or its first bytes are damaged"),
        (b"PK\x03\x04", "is not a gallery of this package"),
    ):
        path.write_bytes(content)
        for mode in ("r", "a"):
            with pytest.raises(ValueError, match=message):
                Gallery(path, mode)
        assert path.read_bytes() == content
    with pytest.raises(IsADirectoryError, match="is a folder: name a file"):
        Gallery(path.parent)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Gallery(path / "nowhere" / "a.db")


@pytest.mark.parametrize("mode", ["r", "a"])
def test_a_pipe_or_a_device_is_no_gallery(path: Path, mode: str) -> None:
    os.mkfifo(path)
    device = path.with_name("device.db")
    device.symlink_to("/dev/null")
    for place, kind in ((path, "a pipe"), (device, "a device")):
        with pytest.raises(ValueError, match=f"is not a file but {kind}: name another file"):
            open_file(place, mode)


@pytest.mark.parametrize("mode", ["r", "a"])
def test_a_link_to_itself_is_no_gallery(path: Path, mode: str) -> None:
    path.symlink_to(path)
    with pytest.raises(FileNotFoundError, match=r"gallery .* is a link to itself: name another file"):
        Gallery(path, mode)


def test_a_lock_that_is_no_file(path: Path) -> None:
    os.mkfifo(path.with_name(f"{path.name}.lock"))
    with pytest.raises(OSError, match=r"\.lock is not a file but a pipe, and locks the gallery: delete it"):
        Gallery(path, "a")
    assert not path.exists()


def test_a_lock_of_something_else_is_named(path: Path) -> None:
    lock = path.with_name(f"{path.name}.lock")
    lock.write_bytes(b"noise" * 300)
    with pytest.raises(
        OSError,
        match=rf"^{re.escape(str(lock))} locks the gallery .* \(file is not a database\): delete it if",
    ):
        Gallery(path, "a")


def test_a_database_of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(ValueError, match="is an SQLite file of another program"):
        Gallery(path)


def test_a_file_of_another_version(path: Path) -> None:
    filled(path, 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    for mode in ("r", "a"):
        with pytest.raises(ValueError, match=r"has format 7, this version reads format 1: use the version"):
            Gallery(path, mode)


def test_one_writer_at_a_time(path: Path) -> None:
    with Gallery(path) as writer:
        writer.add(features(2), sightings(2))
        with pytest.raises(
            BlockingIOError, match=r"is open for writing elsewhere, and only one writer is allowed"
        ):
            Gallery(path)
        with Gallery(path, "r") as reader:
            assert len(reader.search(features(1))[0]) == 2
            for change in (lambda: reader.add(features(1), sightings(1)), lambda: reader.delete(ids=1)):
                with pytest.raises(PermissionError, match="is open for reading: open it with mode 'a'"):
                    change()
        writer.add(features(2), sightings(2))
    with Gallery(path) as writer:
        assert writer.stats().num_rows == 4


def test_two_names_of_one_file_have_one_lock_and_one_log(path: Path) -> None:
    filled(path, 2)
    other = path.parent / "link.db"
    other.symlink_to(path)
    with Gallery(other) as gallery:
        with pytest.raises(BlockingIOError, match="is open for writing elsewhere"):
            Gallery(path)
        gallery.search(features(1))
    assert (path.parent / f"{path.name}.audit.jsonl").is_file()
    assert not list(path.parent.glob("link.db?*"))


def test_the_folder_that_one_works_in_does_not_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with Gallery(path.name) as gallery:
        monkeypatch.chdir("/")
        gallery.add(features(2), sightings(2))
        assert gallery.stats().num_bytes == path.stat().st_size
        gallery.search(features(1))
    assert (path.parent / f"{path.name}.audit.jsonl").is_file()
    assert path.stat().st_mode & 0o007 == 0  # not for everybody


def test_a_refused_file_leaves_no_lock(path: Path) -> None:
    path.write_bytes(b"no gallery" * 60)
    with pytest.raises(ValueError, match="is not a gallery"):
        Gallery(path)
    path.unlink()
    Gallery(path).close()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everything")
def test_a_file_that_may_only_be_read(path: Path) -> None:
    filled(path, 2)
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="is not writable: open it with mode 'r'"):
        Gallery(path)
    with Gallery(path, "r", audit_log=path.parent / "log") as gallery:
        assert len(gallery.search(features(1))[0]) == 2


def test_a_damaged_state(path: Path) -> None:
    vectors, metadata = filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE state SET value = replace(value, '16', '18')")
        connection.commit()
    with pytest.raises(DamagedGalleryError, match="does not match its checksum"):
        Gallery(path, "r+")
    with Gallery(path, "r") as gallery:  # what is left can be read
        assert [answer[0].sighting for answer in gallery.search(vectors, 1)] == metadata
        assert gallery.verify().problems == ["state: the state of the gallery does not match its checksum"]
