from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.ilids_vid import load_ilids_vid
from tests.data.datasets.peer_tracks import assert_same_tracks_as_torchreid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
PEOPLE = (1, 2, 4, 319)
ROWS = [[2, 4, 1, 3], [1, 2, 3, 4]]
SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"


def _make(
    folder: Path,
    make_files: MakeFiles,
    *,
    people: Iterable[int] = PEOPLE,
    rows: Any = ROWS,
    inner: bool = True,
) -> Path:
    home = "i-LIDS-VID/sequences" if inner else "sequences"
    make_files(
        folder,
        [
            f"{home}/cam{camera}/person{person:03}/cam{camera}_person{person:03}_{frame:05}.png"
            for person in people
            for camera in (1, 2)
            for frame in range(7, 8 + camera)
        ],
    )
    (folder / SPLITS).parent.mkdir(exist_ok=True)
    savemat(folder / SPLITS, {"ls_set": np.array(rows, dtype=np.uint16)})
    return folder


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("home", ["", "ilids-vid", "iLIDS-VID"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_files: MakeFiles, home: str, inner: bool
) -> None:
    folder = _make(tmp_path / home, make_files, inner=inner)
    dataset = load_ilids_vid(tmp_path)
    for root in (folder, folder / ("i-LIDS-VID/sequences" if inner else "sequences/cam1"), folder / SPLITS):
        assert load_ilids_vid(root) == dataset
    assert dataset.name == "ilids_vid"


def test_the_first_half_of_a_row_is_tested(tmp_path: Path, make_files: MakeFiles) -> None:
    dataset = load_ilids_vid(_make(tmp_path, make_files))
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.query] == [(2, 0, 1)] * 2 + [(319, 0, 3)] * 2
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.gallery] == [(2, 1, 5)] * 3 + [(319, 1, 7)] * 3
    assert [Path(sample.path).name for sample in dataset.gallery[:3]] == [
        f"cam2_person002_0000{frame}.png" for frame in (7, 8, 9)
    ]
    assert {sample.pid for sample in dataset.train} == {1, 4}
    assert [sample.tracklet for sample in dataset.train] == [0, 0, 2, 2, 4, 4, 4, 6, 6, 6]
    other = load_ilids_vid(tmp_path, split=1)
    assert {sample.pid for sample in other.query} == {1, 2}


def test_agrees_with_torchreid_on_a_set_of_its_size(tmp_path: Path, make_files: MakeFiles) -> None:
    rng = np.random.default_rng(0)
    rows = [rng.permutation(300) + 1 for _ in range(10)]
    _make(tmp_path / "ilids-vid", make_files, people=rng.permutation(319)[:300] + 1, rows=rows)
    module = import_torchreid_quietly("torchreid.reid.data.datasets.video.ilidsvid")
    for split in (0, 9):
        theirs = module.iLIDSVID(root=str(tmp_path), split_id=split, verbose=False, transform=object())
        assert_same_tracks_as_torchreid(load_ilids_vid(tmp_path, split=split), theirs)


def test_no_such_split(tmp_path: Path, make_files: MakeFiles) -> None:
    _make(tmp_path, make_files)
    with pytest.raises(ValueError, match="i-LIDS-VID has no split 2: expected 0 to 1"):
        load_ilids_vid(tmp_path, split=2)


def test_splits_of_other_people(tmp_path: Path, make_files: MakeFiles) -> None:
    _make(tmp_path / "a", make_files, rows=[[1, 2, 3]])
    with pytest.raises(
        ValueError, match=r"ls_set in .* is uint16 \(1, 3\): expected .* with 4 columns; take"
    ):
        load_ilids_vid(tmp_path / "a")
    _make(tmp_path / "b", make_files, rows=[[1, 2, 3, 4], [1, 2, 2, 5]])
    load_ilids_vid(tmp_path / "b")
    with pytest.raises(
        ValueError, match=r"row 2 of .* does not list each of the 4 people once: take the file"
    ):
        load_ilids_vid(tmp_path / "b", split=1)


def test_a_broken_split_file_and_a_person_in_one_camera(tmp_path: Path, make_files: MakeFiles) -> None:
    folder = _make(tmp_path, make_files)
    (folder / SPLITS).write_bytes((folder / SPLITS).read_bytes()[:150])
    with pytest.raises(ValueError, match=r"ilidsvid\.mat cannot be read as a MATLAB file"):
        load_ilids_vid(tmp_path)
    make_files(folder, ["i-LIDS-VID/sequences/cam2/person003/1.png"])
    with pytest.raises(ValueError, match=r"1 people of .* appear in only one camera, the first is person 3"):
        load_ilids_vid(tmp_path)


def test_a_missing_split_file_is_a_miss(tmp_path: Path, make_files: MakeFiles) -> None:
    (_make(tmp_path, make_files) / SPLITS).unlink()
    with pytest.raises(
        FileNotFoundError, match=r"(?s)i-LIDS-VID is not in.*which lacks train-test people spl"
    ):
        load_ilids_vid(tmp_path)
