from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.veri776 import TRACKS, load_veri776

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    *("image_train/0001_c001_00016450_0.jpg", "image_train/0003_c020_00016450_0.jpg"),
    *("image_query/0002_c002_00030600_0.jpg", "image_query/0005_c004_00080675_0.jpg"),
    *("image_test/0002_c003_00030605_0.jpg", "image_test/0002_c003_00030610_0.jpg"),
    *("image_test/0002_c007_00050610_1.jpg", "image_test/0005_c003_00081000_0.jpg"),
    "image_test/Thumbs.db",
)
LINES = (
    "0002_c002_t00030600 0002_c002_00030600_0.jpg \r\n"
    "0002_c003_t00030605 0002_c003_00030605_0.jpg 0002_c003_00030610_0.jpg \r\n"
    "\r\n"
    "0002_c007_t00050610 0002_c007_00050610_1.jpg\r\n"
    "0005_c003_00081000_0.jpg\r\n"
)


@pytest.fixture
def make_veri(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        make_files(folder, NAMES)
        (folder / TRACKS).write_text(LINES, newline="")
        return folder

    return make


@pytest.mark.parametrize("home", ["", "VeRi", "veri", "VeRi-776"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_veri: Callable[[Path], Path], home: str
) -> None:
    folder = make_veri(tmp_path / home)
    for tracks in (False, True):
        dataset = load_veri776(tmp_path, tracks=tracks)
        for root in (folder, folder / "image_train", folder / "image_test"):
            assert load_veri776(root, tracks=tracks) == dataset


def test_images(tmp_path: Path, make_veri: Callable[[Path], Path]) -> None:
    dataset = load_veri776(make_veri(tmp_path))
    assert dataset.name == "veri776"
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.train] == [(1, 0, -1), (3, 19, -1)]
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.query] == [(2, 1, -1), (5, 3, -1)]
    assert [(s.pid, s.camid, s.tracklet) for s in dataset.gallery] == [
        (2, 2, -1),
        (2, 2, -1),
        (2, 6, -1),
        (5, 2, -1),
    ]


def test_the_tracks_of_the_gallery(
    tmp_path: Path, make_veri: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    dataset, single = (load_veri776(make_veri(tmp_path), tracks=tracks) for tracks in (True, False))
    assert dataset.name == "veri776_tracks"
    assert (dataset.train, dataset.query) == (single.train, single.query)
    assert [sample.path for sample in dataset.gallery] == [sample.path for sample in single.gallery]
    assert [sample.tracklet for sample in dataset.gallery] == [1, 1, 2, 3]
    assert not [record for record in caplog.records if "no track" in record.getMessage()]


def test_images_without_a_track_stay_alone(
    tmp_path: Path, make_veri: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    (make_veri(tmp_path) / TRACKS).write_text(LINES[: LINES.index("0002_c007")])
    dataset = load_veri776(tmp_path, tracks=True)
    assert [sample.tracklet for sample in dataset.gallery] == [1, 1, -1, -1]
    assert "2 of 4 images have no track and stay single" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "t 0002_c003_00030605_0.jpg",
            r"has 0002_c003_00030605_0\.jpg in two tracks: expected each image in",
        ),
        (
            "t 0009_c003_00030605_0.jpg",
            r"names '0009_c003_\w+\.jpg', which is not in image_query or image_test",
        ),
    ],
)
def test_tracks_that_do_not_fit(
    tmp_path: Path, make_veri: Callable[[Path], Path], line: str, message: str
) -> None:
    (make_veri(tmp_path) / TRACKS).write_text(LINES + line)
    with pytest.raises(ValueError, match=message):
        load_veri776(tmp_path, tracks=True)
    assert load_veri776(tmp_path).name == "veri776"


@pytest.mark.parametrize("other", ["0005_c003_00081000_0.jpg", "0002_c007_00050610_1.jpg"])
def test_a_track_of_two_vehicles_or_cameras(
    tmp_path: Path, make_veri: Callable[[Path], Path], other: str
) -> None:
    (make_veri(tmp_path) / TRACKS).write_text(f"t 0002_c003_00030605_0.jpg {other}\n")
    with pytest.raises(
        ValueError, match=rf"puts 0002_c003_00030605_0\.jpg and {other} into one track: expected"
    ):
        load_veri776(tmp_path, tracks=True)


def test_a_vehicle_to_train_and_to_test_and_a_strange_name(
    tmp_path: Path, make_files: MakeFiles, make_veri: Callable[[Path], Path]
) -> None:
    make_files(make_veri(tmp_path), ["image_train/0005_c001_00000001_0.jpg"])
    with pytest.raises(ValueError, match="1 identities are in both the training set and the test set"):
        load_veri776(tmp_path)
    make_files(tmp_path, ["image_train/car.jpg"])
    with pytest.raises(ValueError, match=r"file name 'car\.jpg' in .* does not say identity and camera"):
        load_veri776(tmp_path)


def test_other_counts_are_said_and_missing_folders_and_lists_explained(
    tmp_path: Path, make_veri: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    load_veri776(make_veri(tmp_path))
    assert (
        "veri776: 2 training images (published 37,778), 2 training identities (published 576)" in caplog.text
    )
    (tmp_path / TRACKS).unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)VeRi-776 is not in.*which lacks test_track\.txt"):
        load_veri776(tmp_path, tracks=True)
