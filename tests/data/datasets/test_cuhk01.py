from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.cuhk01 import load_cuhk01

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = [f"campus/{person:04}{number:03}.png" for person in range(1, 972) for number in range(1, 5)]
SMALL = [*NAMES[:12], "campus/Thumbs.db"]


@pytest.mark.parametrize("home", ["", "CUHK01", "cuhk01"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    make_files(tmp_path / home, SMALL)
    dataset = load_cuhk01(tmp_path)
    assert load_cuhk01(tmp_path / home) == load_cuhk01(tmp_path / home / "campus") == dataset
    assert dataset.name == "cuhk01"
    images = sorted(dataset.train + dataset.query + dataset.gallery, key=lambda sample: sample.path)
    assert [(Path(s.path).name, s.pid, s.camid) for s in images[:5]] == [
        ("0001001.png", 1, 0),
        ("0001002.png", 1, 0),
        ("0001003.png", 1, 1),
        ("0001004.png", 1, 1),
        ("0002001.png", 2, 0),
    ]
    assert len(images) == 12


def test_sizes_of_the_whole_set_in_both_directions(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES)
    one, other = load_cuhk01(tmp_path, split=3), load_cuhk01(tmp_path, split=13)
    assert [len(part) for part in (one.train, one.query, one.gallery)] == [4 * 485, 2 * 486, 2 * 486]
    assert {sample.camid for sample in one.query} == {0}
    assert (one.train, one.query, one.gallery) == (other.train, other.gallery, other.query)
    paths = [sample.path for sample in one.train]
    assert paths == sorted(paths)
    assert not {sample.pid for sample in one.train} & {sample.pid for sample in one.gallery}
    few = load_cuhk01(tmp_path, split=3, few_tested=True)
    assert [len(part) for part in (few.train, few.query, few.gallery)] == [4 * 871, 2 * 100, 2 * 100]
    assert few.name == "cuhk01_871"
    assert {sample.pid for sample in few.query} < {sample.pid for sample in one.query}


@pytest.mark.parametrize("name", ["0001005.png", "0000001.png", "001001.png", "cover.png"])
def test_a_strange_name_is_told(tmp_path: Path, make_files: MakeFiles, name: str) -> None:
    make_files(tmp_path, [*SMALL, f"campus/{name}"])
    with pytest.raises(ValueError, match=rf"file name '{name}' in .*campus does not say .*0001003\.png"):
        load_cuhk01(tmp_path)


def test_a_person_without_one_of_the_cameras(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES[:10])
    with pytest.raises(ValueError, match="cuhk01: 1 of 3 people are seen by only one camera"):
        load_cuhk01(tmp_path)


def test_fewer_people_than_are_tested(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, SMALL)
    with pytest.raises(ValueError, match="cuhk01_871 tests on 100 people, and there are 3: unpack it again"):
        load_cuhk01(tmp_path, few_tested=True)


def test_no_such_split_and_no_such_folder(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path / "a", SMALL)
    with pytest.raises(ValueError, match="cuhk01 has no split 20"):
        load_cuhk01(tmp_path / "a", split=20)
    with pytest.raises(FileNotFoundError, match="CUHK01 is not in"):
        load_cuhk01(tmp_path / "b")
