from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.mars import QUERIES, load_mars
from tests.data.datasets.peer_tracks import assert_same_tracks_as_torchreid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
TRAIN = ["0001C1T0001F001.jpg", "0001C1T0001F002.jpg", "0001C6T0001F001.jpg", "0003C2T0004F007.jpg"]
TEST = [
    *("00-1C1T0001F001.jpg", "00-1C1T0001F002.jpg", "0000C2T0003F001.jpg"),
    *("0002C1T0001F001.jpg", "0002C1T0001F002.jpg", "0002C3T0001F001.jpg", "0004C5T0002F001.jpg"),
]
TRAIN_TRACKS = [[1, 2, 1, 1], [3, 3, 1, 6], [4, 4, 3, 2]]
TEST_TRACKS = [[1, 2, -1, 1], [3, 3, 0, 2], [4, 5, 2, 1], [6, 6, 2, 3], [7, 7, 4, 5]]


def _save(folder: Path, name: str, variable: str, value: list[list[int]]) -> None:
    savemat(folder / "info" / f"{name}.mat", {variable: np.array(value, dtype=np.int32)})


@pytest.fixture
def make_mars(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for side, names in (("train", TRAIN), ("test", TEST)):
            make_files(folder, [f"bbox_{side}/{name[:4]}/{name}" for name in names])
            (folder / "info").mkdir(exist_ok=True)
            text = "".join(f"{name}\r\n" for name in names)
            (folder / "info" / f"{side}_name.txt").write_text(text, newline="")
        _save(folder, "tracks_train_info", "track_train_info", TRAIN_TRACKS)
        _save(folder, "tracks_test_info", "track_test_info", TEST_TRACKS)
        _save(folder, "query_IDX", "query_IDX", [[3, 5]])
        return folder

    return make


@pytest.mark.parametrize("home", ["", "mars", "MARS-v160809/MARS"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_mars: Callable[[Path], Path], home: str
) -> None:
    folder = make_mars(tmp_path / home)
    dataset = load_mars(tmp_path)
    for root in (folder, folder / "bbox_train", folder / "info", folder / QUERIES):
        assert load_mars(root) == dataset
    assert dataset.name == "mars"


def test_frames_tracks_cameras_and_people(tmp_path: Path, make_mars: Callable[[Path], Path]) -> None:
    dataset = load_mars(make_mars(tmp_path))
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.train] == [
        (1, 0, 0),
        (1, 0, 0),
        (1, 5, 1),
        (3, 1, 2),
    ]
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.query] == [(2, 0, 5), (2, 0, 5), (4, 4, 7)]
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.gallery] == [
        (0, 1, 4),  # a distractor; junk is left out
        (2, 0, 5),  # the query's own track, which the camera rule keeps from it
        (2, 0, 5),
        (2, 2, 6),
        (4, 4, 7),
    ]
    assert dataset.gallery[3].path == str(tmp_path / "bbox_test" / "0002" / "0002C3T0001F001.jpg")


def test_agrees_with_torchreid_whose_gallery_lacks_the_queries(
    tmp_path: Path, make_mars: Callable[[Path], Path]
) -> None:
    make_mars(tmp_path / "mars")
    module = import_torchreid_quietly("torchreid.reid.data.datasets.video.mars")
    theirs = module.Mars(root=str(tmp_path), verbose=False, transform=object())
    ours = load_mars(tmp_path)
    queries = {sample.tracklet for sample in ours.query}
    others = tuple(sample for sample in ours.gallery if sample.tracklet not in queries)
    assert len(others) == 2
    assert_same_tracks_as_torchreid(replace(ours, gallery=others), theirs)


def test_other_counts_are_said(
    tmp_path: Path, make_mars: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    load_mars(make_mars(tmp_path))
    (record,) = caplog.records
    assert "mars: 4 training images (published 509,914)" in record.getMessage()


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ([7, 8, 4, 5], "7, 8, 4, 5"),
        ([7, 6, 4, 5], "7, 6, 4, 5"),
        ([0, 7, 4, 5], "0, 7"),
        ([7, 7, -2, 5], "-2"),
    ],
)
def test_a_track_out_of_the_list(
    tmp_path: Path, make_mars: Callable[[Path], Path], row: list[int], named: str
) -> None:
    _save(make_mars(tmp_path), "tracks_test_info", "track_test_info", [*TEST_TRACKS[:4], row])
    with pytest.raises(
        ValueError, match=rf"row 5 of .*_test_info\.mat reads .*{named}.*among the 7 of .*_name"
    ):
        load_mars(tmp_path)


@pytest.mark.parametrize(
    "name", ["0004C4T0002F001.jpg", "0005C5T0002F001.jpg", "0004C5T0002F001/../x.jpg", "x"]
)
def test_a_name_that_is_not_of_its_track(
    tmp_path: Path, make_mars: Callable[[Path], Path], name: str
) -> None:
    (make_mars(tmp_path) / "info" / "test_name.txt").write_text("\n".join([*TEST[:6], name]))
    with pytest.raises(
        ValueError, match=r"_name\.txt names .* where the track of identity 4 in camera 5 should be"
    ):
        load_mars(tmp_path)


@pytest.mark.parametrize("queries", [[0], [6], [1], [3, 3]])
def test_queries_that_are_no_tracks(
    tmp_path: Path, make_mars: Callable[[Path], Path], queries: list[int]
) -> None:
    _save(make_mars(tmp_path), "query_IDX", "query_IDX", [queries])
    with pytest.raises(
        ValueError, match=r"query_IDX\.mat does not fit .*: expected different tracks from 1 to 5"
    ):
        load_mars(tmp_path)


def test_broken_lists_and_missing_images(tmp_path: Path, make_mars: Callable[[Path], Path]) -> None:
    folder = make_mars(tmp_path)
    (folder / "bbox_test" / "0000" / TEST[2]).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 9 images named in the lists of .* do not exist"):
        load_mars(tmp_path)
    _save(folder, "tracks_train_info", "track_train_info", [row[:3] for row in TRAIN_TRACKS])
    with pytest.raises(ValueError, match=r"track_train_info in .* is int32 \(3, 3\): expected .* 4 columns"):
        load_mars(tmp_path)
    (folder / "info" / "tracks_train_info.mat").write_bytes(b"no")
    with pytest.raises(ValueError, match="cannot be read as a MATLAB file"):
        load_mars(tmp_path)
    (folder / QUERIES).unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)MARS is not in.*which lacks info/query_IDX\.mat"):
        load_mars(tmp_path)


def test_a_person_to_train_and_to_test(tmp_path: Path, make_mars: Callable[[Path], Path]) -> None:
    folder = make_mars(tmp_path)
    text = (folder / "info" / "train_name.txt").read_text().replace("0003C2", "0004C2")
    (folder / "info" / "train_name.txt").write_text(text)
    _save(folder, "tracks_train_info", "track_train_info", [*TRAIN_TRACKS[:2], [4, 4, 4, 2]])
    with pytest.raises(ValueError, match="1 identities are in both the training set and the test set"):
        load_mars(tmp_path)
