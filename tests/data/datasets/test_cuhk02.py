from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.cuhk02 import PAIRS, load_cuhk02
from tests.data.datasets.peer_samples import assert_same_as_torchreid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = [
    f"{pair}/cam{camera}/{person:03}_{number}.png"
    for pair in PAIRS
    for camera in (1, 2)
    for person in (1, 12)
    for number in (1, 2)
]


@pytest.mark.parametrize("home", ["", "Dataset", "CUHK02", "cuhk02/Dataset"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    make_files(tmp_path / home, [*NAMES, "P1/cam1/Thumbs.db", "P5/cam2/.x.png"])
    dataset = load_cuhk02(tmp_path)
    for part in ("", "P1", "P5/cam2"):
        assert load_cuhk02(tmp_path / home / part) == dataset
    assert dataset.name == "cuhk02"
    files = [Path(sample.path).relative_to(tmp_path / home).as_posix() for sample in dataset.train]
    assert files == sorted(name for name in NAMES if not name.startswith("P5"))


def test_identities_and_cameras(tmp_path: Path, make_files: MakeFiles) -> None:
    dataset = load_cuhk02(make_files(tmp_path, NAMES))
    assert [(sample.pid, sample.camid) for sample in dataset.train[4:12:2]] == [
        (1001, 1),
        (1012, 1),
        (2001, 2),
        (2012, 2),
    ]
    assert [(sample.pid, sample.camid) for sample in dataset.query] == [(5001, 8)] * 2 + [(5012, 8)] * 2
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(5001, 9)] * 2 + [(5012, 9)] * 2


def test_agrees_with_torchreid(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path / "cuhk02" / "Dataset", NAMES)
    peer = import_torchreid_quietly("torchreid.reid.data.datasets.image.cuhk02")
    assert_same_as_torchreid(load_cuhk02(tmp_path), peer.CUHK02(root=str(tmp_path), verbose=False))


@pytest.mark.parametrize("name", ["1000_1.png", "000_1.png", "a_1.png", "001.png"])
def test_a_strange_name_is_told(tmp_path: Path, make_files: MakeFiles, name: str) -> None:
    make_files(tmp_path, [*NAMES, f"P3/cam2/{name}"])
    with pytest.raises(ValueError, match=rf"file name '{name}' in .*cam2 does not say .*001_1\.png"):
        load_cuhk02(tmp_path)


def test_a_missing_and_an_empty_camera(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, [name for name in NAMES if not name.startswith("P4/cam1")])
    with pytest.raises(FileNotFoundError, match=r"(?s)CUHK02 is not in.*which lacks P4/cam1"):
        load_cuhk02(tmp_path)
    (tmp_path / "P4" / "cam1").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no image in .*cam1"):
        load_cuhk02(tmp_path)
