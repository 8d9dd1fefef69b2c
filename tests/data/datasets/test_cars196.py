from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from torchvision.datasets import StanfordCars

from reid_gl.data.datasets.cars196 import FOLDER_NAMES, PUBLISHED, VARIANTS, load_cars196
from reid_gl.records import ReidDataset

ONE_FILE, DEVKIT, DEVKIT_INSIDE, TWO_PARTS, IMAGES, PLAIN = VARIANTS
FIRST_CLASS = "AM General Hummer SUV 2000"
LAST_CLASS = "smart fortwo Convertible 2012"
CLASS_NAMES = (FIRST_CLASS, *(f"Make Mödel {number:03d}" for number in range(2, 196)), LAST_CLASS)


def write_annotations(path: Path, field: str, rows: Sequence[tuple[str, int]]) -> None:
    """A MATLAB file with the fields of the authors' that matter, in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = np.zeros((1, len(rows)), dtype=[("bbox_x1", object), ("class", object), (field, object)])
    for place, (name, number) in enumerate(rows):
        annotations[0, place] = (np.uint8(1), np.uint8(number), name)
    savemat(path, {"annotations": annotations})


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def make_cars(folder: Path, variant: tuple[str, ...]) -> Path:
    """Cars of the classes 1, 98, 99 and 196 at least, in one of the layouts."""
    numbers = (99, 1, 196, 98)
    if variant == ONE_FILE:
        names = [f"car_ims/{place:06d}.jpg" for place in range(1, 5)]
        touch(folder, *names)
        write_annotations(
            folder / "cars_annos.mat", "relative_im_path", list(zip(names, numbers, strict=True))
        )
    elif variant in (DEVKIT, DEVKIT_INSIDE):
        touch(
            folder, *(f"cars_{part}/{name}.jpg" for part in ("train", "test") for name in ("00001", "00002"))
        )
        for path, pair in zip(variant[:2], (numbers[:2], numbers[2:]), strict=True):
            rows = [("00001.jpg", pair[0]), ("00002.jpg", pair[1])]
            write_annotations(folder / path, "fname", rows)
    else:
        for entry in variant:
            touch(folder / entry / "..", *(f"{name}/00001.jpg" for name in CLASS_NAMES))
    return folder


def listed(dataset: ReidDataset, folder: Path) -> list[list[tuple[str, int]]]:
    return [
        [(Path(sample.path).relative_to(folder).as_posix(), sample.pid) for sample in part]
        for part in (dataset.train, dataset.query)
    ]


def test_one_file(tmp_path: Path) -> None:
    dataset = load_cars196(make_cars(tmp_path, ONE_FILE))
    assert (dataset.name, dataset.gallery, dataset.ks) == ("cars196", (), (1, 2, 4, 8))
    assert {sample.camid for sample in dataset.train + dataset.query} == {-1}
    assert listed(dataset, tmp_path) == [
        [("car_ims/000002.jpg", 1), ("car_ims/000004.jpg", 98)],
        [("car_ims/000001.jpg", 99), ("car_ims/000003.jpg", 196)],
    ]


@pytest.mark.parametrize("variant", [DEVKIT, DEVKIT_INSIDE], ids=["beside", "inside"])
def test_two_files(tmp_path: Path, variant: tuple[str, ...]) -> None:
    assert listed(load_cars196(make_cars(tmp_path, variant)), tmp_path) == [
        [("cars_test/00002.jpg", 98), ("cars_train/00002.jpg", 1)],
        [("cars_test/00001.jpg", 196), ("cars_train/00001.jpg", 99)],
    ]


@pytest.mark.parametrize("variant", [TWO_PARTS, IMAGES, PLAIN], ids=["parts", "images", "plain"])
def test_folders_of_classes(tmp_path: Path, variant: tuple[str, ...]) -> None:
    places = [entry.rpartition(FIRST_CLASS)[0] for entry in variant]
    expected = [
        sorted((f"{place}{CLASS_NAMES[pid - 1]}/00001.jpg", pid) for place in places for pid in pids)
        for pids in (range(1, 99), range(99, 197))
    ]
    assert listed(load_cars196(make_cars(tmp_path, variant)), tmp_path) == expected


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "car_data/car_data", "Cars196/CARS"])
@pytest.mark.parametrize("variant", [ONE_FILE, DEVKIT], ids=["one", "two"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, variant: tuple[str, ...], home: str) -> None:
    folder = make_cars(tmp_path / home, variant)
    expected = load_cars196(folder)
    for root in (tmp_path, str(folder), *(folder / entry for entry in variant)):
        assert load_cars196(root) == expected


def test_agrees_with_torchvision(tmp_path: Path) -> None:
    folder = make_cars(tmp_path / "stanford_cars", DEVKIT)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": np.array(CLASS_NAMES, dtype=object)})
    dataset = load_cars196(tmp_path)
    ours = sorted((sample.path, sample.pid - 1) for sample in dataset.train + dataset.query)
    peers = [StanfordCars(str(tmp_path), split=split)._samples for split in ("train", "test")]
    assert ours == sorted(peers[0] + peers[1])


def test_agrees_with_pytorch_metric_learning(tmp_path: Path) -> None:
    make_cars(tmp_path / "car_data" / "car_data", TWO_PARTS)
    (tmp_path / "names.csv").write_text("\n".join(CLASS_NAMES), encoding="utf-8")
    rows = "".join(f"00001.jpg,1,2,3,4,{number}\n" for number in range(1, 197))
    for part in ("train", "test"):
        (tmp_path / f"anno_{part}.csv").write_text(rows, encoding="utf-8")
    dataset = load_cars196(tmp_path)
    for split, samples in (("train", dataset.train), ("test", dataset.query)):
        peers = pytest.importorskip("pytorch_metric_learning.datasets")  # since 2.9
        peer = peers.Cars196(str(tmp_path), split=split)
        assert [(sample.path, sample.pid) for sample in samples] == sorted(
            zip(peer.paths, peer.labels, strict=True)
        )


def test_another_number_of_class_folders_is_refused(tmp_path: Path) -> None:
    folder = make_cars(tmp_path, PLAIN)
    touch(folder, "my cars/1.jpg")
    with pytest.raises(
        ValueError, match=rf"197 class folders in {tmp_path}: expected 196, because their order"
    ):
        load_cars196(tmp_path)


def test_an_empty_class_is_said(tmp_path: Path) -> None:
    (make_cars(tmp_path, PLAIN) / LAST_CLASS / "00001.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=f"no image in .*{LAST_CLASS}"):
        load_cars196(tmp_path)


@pytest.mark.parametrize("variant", [ONE_FILE, DEVKIT], ids=["one", "two"])
def test_missing_images_are_named(tmp_path: Path, variant: tuple[str, ...]) -> None:
    folder = make_cars(tmp_path, variant)
    image = sorted(folder.glob("car*/*.jpg"))[0]
    image.unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of the 4 images named in the annotations of .*{image}"):
        load_cars196(tmp_path)


def test_paths_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = make_cars(tmp_path / "cars196", ONE_FILE)
    write_annotations(folder / "cars_annos.mat", "relative_im_path", [("../secret.jpg", 1)])
    with pytest.raises(
        ValueError, match=r"annotation 1 of .*cars_annos\.mat names the image '\.\./secret\.jpg'"
    ):
        load_cars196(tmp_path)


def test_a_miss_shows_the_trees_and_no_other_set(
    tmp_path: Path, make_files: Callable[[Path, Sequence[str]], Path]
) -> None:
    make_files(tmp_path, ["CUB_200_2011/images/001.Albatross/1.jpg", "msmt/train/1.jpg", "msmt/test/1.jpg"])
    with pytest.raises(FileNotFoundError) as caught:
        load_cars196(tmp_path)
    message = str(caught.value)
    assert f"Cars-196 is not in {tmp_path}" in message
    assert all(entry in message for entry in ("cars_annos.mat", "devkit/cars_train_annos.mat", FIRST_CLASS))
    assert "which holds everything" not in message


def test_other_counts_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_cars(tmp_path, ONE_FILE)
    load_cars196(tmp_path)
    load_cars196(tmp_path)
    (record,) = caplog.records
    assert "cars196: 2 training images (published 8,054), 2 training identities" in record.getMessage()


def test_published_counts_fit_together() -> None:
    assert PUBLISHED.training_images + PUBLISHED.query_images == 16_185
    assert PUBLISHED.training_identities + PUBLISHED.query_identities == 196
