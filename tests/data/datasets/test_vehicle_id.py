from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.vehicle_id import TEST_LISTS, TRAIN_LIST, load_vehicle_id

MakeFiles = Callable[[Path, Iterable[str]], Path]
TRAIN = "0000004 0\r\n0000002 7\r\n0000003 7\r\n"
TEST = "".join(f"{image:07} {20 + image % 3}\n" for image in range(10, 31))


@pytest.fixture
def make_vehicle_id(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        images = [line.split()[0] for line in (TRAIN + TEST).splitlines()]
        make_files(folder, [f"image/{image}.jpg" for image in images])
        (folder / TRAIN_LIST).parent.mkdir(exist_ok=True)
        (folder / TRAIN_LIST).write_text(TRAIN, newline="")
        for size, name in TEST_LISTS.items():
            (folder / name).write_text(TEST if size == "small" else "0000010 21\n0000013 21\n")
        return folder

    return make


@pytest.mark.parametrize("home", ["", "vehicleid", "VehicleID_V1.0"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_vehicle_id: Callable[[Path], Path], home: str
) -> None:
    folder = make_vehicle_id(tmp_path / home)
    dataset = load_vehicle_id(tmp_path, size="small")
    for root in (folder, folder / "image", folder / "train_test_split", folder / TRAIN_LIST):
        assert load_vehicle_id(root, size="small") == dataset
    assert dataset.name == "vehicle_id_small"


def test_the_gallery_has_one_image_of_each_vehicle(
    tmp_path: Path, make_vehicle_id: Callable[[Path], Path]
) -> None:
    dataset = load_vehicle_id(make_vehicle_id(tmp_path), size="small")
    assert [(Path(s.path).name, s.pid, s.camid) for s in dataset.train] == [
        ("0000002.jpg", 8, -1),
        ("0000003.jpg", 8, -1),
        ("0000004.jpg", 1, -1),  # number 0 in the list, which would be a distractor
    ]
    assert Counter(sample.pid for sample in dataset.gallery) == {21: 1, 22: 1, 23: 1}
    assert Counter(sample.pid for sample in dataset.query) == {21: 6, 22: 6, 23: 6}
    assert {sample.camid for sample in dataset.query + dataset.gallery} == {-1}
    for part in (dataset.query, dataset.gallery):
        assert [sample.path for sample in part] == sorted(sample.path for sample in part)
    assert not {sample.path for sample in dataset.query} & {sample.path for sample in dataset.gallery}


def test_draws_are_repeatable_differ_and_know_no_order(
    tmp_path: Path, make_vehicle_id: Callable[[Path], Path]
) -> None:
    folder = make_vehicle_id(tmp_path)
    draws = [load_vehicle_id(folder, size="small", split=split) for split in range(10)]
    assert draws[3] == load_vehicle_id(folder, size="small", split=3)
    assert len({draw.gallery for draw in draws}) > 5
    assert {draw.train for draw in draws} == {draws[0].train}
    (folder / TEST_LISTS["small"]).write_text("\n".join(reversed(TEST.splitlines())))
    assert load_vehicle_id(folder, size="small", split=3) == draws[3]


def test_sizes_and_splits(tmp_path: Path, make_vehicle_id: Callable[[Path], Path]) -> None:
    folder = make_vehicle_id(tmp_path)
    for size in ("medium", "large"):
        dataset = load_vehicle_id(folder, size=size)
        assert (len(dataset.query), len(dataset.gallery), dataset.name) == (1, 1, f"vehicle_id_{size}")
    with pytest.raises(
        ValueError, match="unknown size 'huge' of VehicleID: expected one of small, medium, large"
    ):
        load_vehicle_id(folder, size="huge")
    with pytest.raises(ValueError, match="VehicleID has no split 10: expected 0 to 9"):
        load_vehicle_id(folder, size="small", split=10)


def test_bad_lists(tmp_path: Path, make_vehicle_id: Callable[[Path], Path]) -> None:
    folder = make_vehicle_id(tmp_path)
    (folder / TEST_LISTS["large"]).write_text("0000010 21\n../x 21\n")
    with pytest.raises(
        ValueError, match=r"line 2 of .*test_list_2400\.txt reads '\.\./x 21': expected a row such"
    ):
        load_vehicle_id(folder, size="large")
    (folder / TEST_LISTS["large"]).write_text("0000010 21\n0000013 7\n")
    with pytest.raises(ValueError, match="1 identities are in both the training set and the test set"):
        load_vehicle_id(folder, size="large")
    (folder / TEST_LISTS["large"]).write_text("0000010 21\n0000099 21\n")
    with pytest.raises(FileNotFoundError, match=r"1 of the 5 images named in the lists of .*0000099\.jpg"):
        load_vehicle_id(folder, size="large")
    (folder / TEST_LISTS["large"]).unlink()
    with pytest.raises(
        FileNotFoundError, match=r"(?s)VehicleID is not in.*which lacks .*test_list_2400\.txt"
    ):
        load_vehicle_id(folder, size="large")
