from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.tracklet_folders import list_people, read_sequences

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    *("a/person_0010/0002.png", "a/person_0010/0001.png", "a/person_0002/0001.png", "a/person_0002/0002.png"),
    *("b/person_0002/0005.png", "b/person_0010/0003.png", "b/person_0010/0004.png", "b/.hidden/x.png"),
    *("a/person_0010/Thumbs.db", "a/notes.txt"),
)


def test_people_by_number_and_tracks_by_camera_and_person(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES)
    cameras = [list_people(tmp_path / name) for name in "ab"]
    assert [list(camera) for camera in cameras] == [[2, 10], [2, 10]]
    samples = read_sequences(cameras, [10, 2])
    assert [(s.path[len(str(tmp_path)) + 1 :], s.pid, s.camid, s.tracklet) for s in samples] == [
        ("a/person_0002/0001.png", 2, 0, 0),
        ("a/person_0002/0002.png", 2, 0, 0),
        ("a/person_0010/0001.png", 10, 0, 1),
        ("a/person_0010/0002.png", 10, 0, 1),
        ("b/person_0002/0005.png", 2, 1, 2),
        ("b/person_0010/0003.png", 10, 1, 3),
        ("b/person_0010/0004.png", 10, 1, 3),
    ]


def test_short_sequences_are_left_out_of_both_cameras(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES)
    samples = read_sequences([list_people(tmp_path / name) for name in "ab"], [2, 10], min_frames=2)
    assert [(sample.pid, sample.camid, sample.tracklet) for sample in samples] == [(10, 0, 0)] * 2 + [
        (10, 1, 1)
    ] * 2


@pytest.mark.parametrize("name", ["person_", "people1", "person_0000", "person2"])
def test_a_strange_folder_is_told(tmp_path: Path, make_files: MakeFiles, name: str) -> None:
    make_files(tmp_path, [*NAMES, f"a/{name}/1.png"])
    with pytest.raises(
        ValueError, match=r"in .*a names no person, or the same as another folder: expected one"
    ):
        list_people(tmp_path / "a")


def test_a_person_without_a_frame(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, [*NAMES, "a/person_0011/notes.txt"])
    with pytest.raises(FileNotFoundError, match=r"no image in .*person_0011"):
        read_sequences([list_people(tmp_path / "a")], [2, 11])
