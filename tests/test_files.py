from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid_gl.files import (
    finished_or_nothing,
    make_folder,
    partial_of,
    whole_or_nothing,
    write_text,
)


def fail_in(out: Path) -> None:
    with finished_or_nothing(out) as folder:
        (folder / "a").touch()
        raise RuntimeError


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError):
        fail_in(out)
    assert list(out.parent.iterdir()) == []
    with finished_or_nothing(out) as folder:
        (folder / "a").touch()
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a"]
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o700), (0o022, 0o755), (0o002, 0o775)])
def test_rights_are_what_the_umask_leaves(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with finished_or_nothing(tmp_path / "out"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == mode


def test_what_a_killed_process_left_goes_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    out = tmp_path / "o[1]"
    code = (
        "import sys, pathlib\n"
        "from reid_gl.files import finished_or_nothing\n"
        f"with finished_or_nothing(pathlib.Path({str(out)!r})) as folder:\n"
        "    print(folder, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    foreign = tmp_path / ".o[1]-20240101"
    foreign.mkdir()
    os.utime(foreign, (0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with finished_or_nothing(tmp_path / "o[1]x"):
            assert theirs.is_dir()
        with pytest.raises(RuntimeError):
            fail_in(out)
        assert theirs.is_dir()  # its process lives
        other.kill()
        other.wait()
        assert theirs.is_dir()
        with finished_or_nothing(out):
            assert not theirs.exists()
    assert foreign.is_dir()


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_or_nothing(path) as partial:
            partial.write_text("half")
            raise KeyError("reason")

    with pytest.raises(KeyError, match="reason"):
        fail()
    assert path.read_text() == "old"
    with whole_or_nothing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_a_link_in_the_place_of_an_unfinished_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    partial_of(tmp_path / "a").symlink_to(victim)
    write_text(tmp_path / "a", "new")
    assert (victim.read_text(), (tmp_path / "a").read_text()) == ("precious", "new")


def test_a_text_replaces_another_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    partial_of(path).write_text("left by a killed process")
    for text in ("{}", "gr\u00f6\u00dfer"):
        write_text(path, text)
        assert path.read_bytes().decode("utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["nowhere", "out"])
def test_a_broken_link_is_refused_before_the_work(target: str, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / target)
    with (
        pytest.raises(FileExistsError, match=r"out is a link to nothing: remove it, or choose another name"),
        finished_or_nothing(tmp_path / "out"),
    ):
        pytest.fail("the work began")


def test_a_folder_that_cannot_be_made_is_said_with_what_is_in_the_way(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, kind in (("file", "not a folder"), ("loop", "a link to nothing")):
        for folder in (tmp_path / name, tmp_path / name / "b" / "c"):
            message = f"{folder} cannot be made, because .*{name} is {kind}"
            with pytest.raises(NotADirectoryError, match=message):
                make_folder(folder)
    with pytest.raises(OSError, match="name too long"):
        make_folder(tmp_path / ("x" * 300))
