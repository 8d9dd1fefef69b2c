from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.datasets import prid2011
from reid_gl.data.datasets.prid2011 import load_prid2011
from tests.data.datasets.peer_tracks import assert_same_tracks_as_torchreid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]


def _sequence(camera: str, person: int, num_frames: int) -> list[str]:
    return [
        f"multi_shot/cam_{camera}/person_{person:04}/{frame:04}.png" for frame in range(1, num_frames + 1)
    ]


LONG = [name for camera in "ab" for person in (1, 2, 4, 200) for name in _sequence(camera, person, 27)]
NAMES = [
    *LONG,
    *_sequence("a", 3, 27),
    *_sequence("b", 3, 26),  # too short in one camera
    *_sequence("a", 5, 30),  # not in the other camera
    *_sequence("a", 201, 30),
    *_sequence("b", 201, 30),  # not the same person
]


@pytest.mark.parametrize("home", ["", "prid_2011", "prid2011/prid_2011", "PRID2011"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    folder = make_files(tmp_path / home, NAMES)
    dataset = load_prid2011(tmp_path)
    for root in (folder, folder / "multi_shot", folder / "multi_shot" / "cam_b"):
        assert load_prid2011(root) == dataset
    assert dataset.name == "prid2011"


def test_people_seen_long_enough_by_both_cameras(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES)
    dataset = load_prid2011(tmp_path, split=1)
    assert [len(part) for part in (dataset.train, dataset.query, dataset.gallery)] == [4 * 27, 2 * 27, 2 * 27]
    training = set(np.random.default_rng(1).permutation([1, 2, 4, 200])[:2].tolist())
    assert {sample.pid for sample in dataset.train} == training
    assert {sample.pid for sample in dataset.query} == {1, 2, 4, 200} - training
    assert {sample.camid for sample in dataset.query} == {0}
    assert {sample.camid for sample in dataset.gallery} == {1}
    everything = dataset.train + dataset.query + dataset.gallery
    tracks = {(sample.tracklet, sample.pid, sample.camid) for sample in everything}
    assert sorted(track[0] for track in tracks) == list(range(8))
    for part in (dataset.train, dataset.query, dataset.gallery):
        assert [sample.path for sample in part] == sorted(sample.path for sample in part)


def test_the_second_ten_splits_search_the_other_way_round(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES)
    one, other = load_prid2011(tmp_path, split=4), load_prid2011(tmp_path, split=14)
    assert (one.train, one.query, one.gallery) == (other.train, other.gallery, other.query)
    with pytest.raises(ValueError, match="prid2011 has no split 20: expected 0 to 19"):
        load_prid2011(tmp_path, split=20)


def test_the_number_of_people_is_checked(
    tmp_path: Path,
    make_files: MakeFiles,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_files(tmp_path / "few", NAMES)
    load_prid2011(tmp_path / "few")
    load_prid2011(tmp_path / "few")
    (record,) = caplog.records
    assert "4 people have at least 27 frames in both cameras (published 178)" in record.getMessage()
    caplog.clear()
    monkeypatch.setattr(prid2011, "MIN_FRAMES", 1)  # fewer files to write
    whole = [name for camera in "ab" for person in range(1, 179) for name in _sequence(camera, person, 1)]
    dataset = load_prid2011(make_files(tmp_path / "all", whole))
    assert not caplog.records
    assert (
        len({sample.pid for sample in dataset.train}) == len({sample.pid for sample in dataset.query}) == 89
    )


def test_agrees_with_torchreid_about_the_same_split(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path / "prid2011" / "prid_2011", NAMES)
    ours = load_prid2011(tmp_path)
    sides = {"train": ours.train, "test": ours.query}
    split = {key: sorted({f"person_{s.pid:04}" for s in samples}) for key, samples in sides.items()}
    (tmp_path / "prid2011" / "splits_prid2011.json").write_text(json.dumps([split]))
    module = import_torchreid_quietly("torchreid.reid.data.datasets.video.prid2011")
    assert_same_tracks_as_torchreid(
        ours, module.PRID2011(root=str(tmp_path), verbose=False, transform=object())
    )


def test_a_missing_camera_is_a_miss(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, _sequence("a", 1, 27))
    with pytest.raises(FileNotFoundError, match=r"(?s)PRID 2011 is not in.*which lacks multi_shot/cam_b"):
        load_prid2011(tmp_path)


def test_the_other_half_of_the_release(tmp_path: Path, make_files: MakeFiles) -> None:
    names = [f"single_shot/{camera}/person_0001.png" for camera in ("cam_a", "cam_b")]
    make_files(tmp_path / "prid_2011", names)
    with pytest.raises(FileNotFoundError, match=r"prid_2011 holds only single_shot, .*: unpack multi_shot"):
        load_prid2011(tmp_path)


def test_the_splits_of_the_community(tmp_path: Path, make_files: MakeFiles) -> None:
    folder = make_files(tmp_path / "prid_2011", NAMES)
    path = tmp_path / "splits_prid2011.json"
    with pytest.raises(
        FileNotFoundError, match=r"splits_prid2011\.json is neither in .*prid_2011 nor in the fold"
    ):
        load_prid2011(folder, community=True)
    splits = [{"train": ["person_0001", "person_0200"], "test": ["person_0002"]}, {"train": [], "test": []}]
    path.write_text(json.dumps(splits))
    dataset = load_prid2011(tmp_path, community=True)
    found = [
        {(sample.pid, sample.camid) for sample in part}
        for part in (dataset.train, dataset.query, dataset.gallery)
    ]
    assert found == [{(1, 0), (1, 1), (200, 0), (200, 1)}, {(2, 0)}, {(2, 1)}]
    assert len(dataset.query) == 27
    assert dataset.name == "prid2011_community"
    with pytest.raises(ValueError, match=r"split 1 of .* lists 'nobody' in train"):
        load_prid2011(tmp_path, split=1, community=True)
    for train, message in (
        (["person_0005"], "lists 'person_0005' in train"),
        (["person_0002"], "are in both"),
    ):
        path.write_text(json.dumps([{"train": train, "test": ["person_0002"]}]))
        with pytest.raises(ValueError, match=message):
            load_prid2011(tmp_path, community=True)
