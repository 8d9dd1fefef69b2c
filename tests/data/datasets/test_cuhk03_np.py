from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.cuhk03_np import FOLDER_NAMES, PUBLISHED, load_cuhk03_np
from reid_gl.data.datasets.reading.cuhk03_extract import IMAGES_FOLDER, MARKER, MAT_NAME
from reid_gl.data.datasets.reading.cuhk03_protocol import protocol_name

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    *(f"labeled/{part}" for part in ("bounding_box_train/0001_c1_1.png", "bounding_box_train/0001_c2_6.png")),
    *(f"labeled/{part}" for part in ("query/0003_c1_21.png", "bounding_box_test/0003_c2_26.png")),
    *(f"detected/{part}" for part in ("bounding_box_train/0009_c1_1.png", "query/0011_c1_2.png")),
    "detected/bounding_box_test/0011_c2_7.png",
)


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "CUHK03-NP", "cuhk03/cuhk03-np"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    make_files(tmp_path / home, NAMES)
    dataset = load_cuhk03_np(tmp_path, labelled=True)
    for part in ("", "labeled", "labeled/query"):
        assert load_cuhk03_np(tmp_path / home / part, labelled=True) == dataset
    assert dataset.name == "cuhk03_np_labelled"
    parts = (dataset.train, dataset.query, dataset.gallery)
    assert [[(sample.pid, sample.camid) for sample in part] for part in parts] == [
        [(1, 0), (1, 1)],
        [(3, 0)],
        [(3, 1)],
    ]


def test_detected_boxes_are_the_default(tmp_path: Path, make_files: MakeFiles) -> None:
    dataset = load_cuhk03_np(make_files(tmp_path, NAMES))
    assert dataset.name == "cuhk03_np_detected"
    assert [sample.pid for sample in dataset.train] == [9]


def test_the_folder_of_the_other_boxes_is_a_miss(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES)
    with pytest.raises(FileNotFoundError, match=r"CUHK03-NP \(detected\) is not in"):
        load_cuhk03_np(tmp_path / "labeled")


@pytest.mark.parametrize("home", ["", "cuhk03_release", "cuhk03/cuhk03_release"])
def test_the_original_file_alone_asks_for_the_command(
    tmp_path: Path, make_files: MakeFiles, home: str
) -> None:
    folder = make_files(tmp_path / home, [MAT_NAME, protocol_name("labeled")])
    with pytest.raises(FileNotFoundError) as caught:
        load_cuhk03_np(tmp_path, labelled=True)
    assert str(caught.value) == (
        f"the images of CUHK03 are still inside {folder / MAT_NAME}: run `reid-gl extract-cuhk03 "
        f"--mat {folder / MAT_NAME} --out {folder / IMAGES_FOLDER}` once, then load {folder} again"
    )


def test_a_missing_protocol_file_is_asked_for_too(tmp_path: Path, make_files: MakeFiles) -> None:
    folder = make_files(tmp_path / "cuhk03_release", [MAT_NAME, protocol_name("labeled")])
    with pytest.raises(
        FileNotFoundError, match=r"put cuhk03_new_protocol_config_detected\.mat next to it and run"
    ):
        load_cuhk03_np(folder / MAT_NAME)


@pytest.mark.parametrize("home", ["", "cuhk03/cuhk03_release"])
def test_extracted_images_beside_the_file_are_used(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    names = ["1_001_1_01.png", "1_002_1_01.png", "1_002_2_06.png"]
    folder = make_files(tmp_path / home, [MAT_NAME, *(f"{IMAGES_FOLDER}/detected/{name}" for name in names)])
    (folder / IMAGES_FOLDER / MARKER).touch()
    indices = {"train_idx": [1], "query_idx": [2], "gallery_idx": [3]}
    listed = {"filelist": np.array(names, dtype=object), "labels": [1, 2, 2], "camId": [1, 1, 2]}
    savemat(folder / protocol_name("detected"), {**listed, **indices})
    dataset = load_cuhk03_np(tmp_path)
    assert dataset == load_cuhk03_np(folder / IMAGES_FOLDER)
    assert [Path(sample.path).name for sample in (*dataset.train, *dataset.query, *dataset.gallery)] == names
    assert dataset.name == "cuhk03_np_detected"


@pytest.mark.parametrize("home", ["", "cuhk03"])
def test_images_that_peers_extracted(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    names = ["1_001_1_01.png", "1_002_1_01.png", "1_002_2_06.png"]
    peers = [f"images_labeled/{name}" for name in names]
    folder = make_files(tmp_path / home, [f"cuhk03_release/{MAT_NAME}", *peers])
    indices = {"train_idx": [1], "query_idx": [2], "gallery_idx": [3]}
    listed = {"filelist": np.array(names, dtype=object), "labels": [1, 2, 2], "camId": [1, 1, 2]}
    savemat(folder / protocol_name("labeled"), {**listed, **indices})
    dataset = load_cuhk03_np(tmp_path, labelled=True)
    assert dataset == load_cuhk03_np(folder / "images_labeled", labelled=True)
    found = (*dataset.train, *dataset.query, *dataset.gallery)
    assert [sample.path for sample in found] == [f"{folder}/{name}" for name in peers]
    assert [(sample.pid, sample.camid) for sample in found] == [(1, 0), (2, 0), (2, 1)]


def test_other_counts_are_said_once_for_each_kind_of_box(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path, NAMES)
    for labelled in (True, False, True, False):
        load_cuhk03_np(tmp_path, labelled=labelled)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("cuhk03_np_labelled: 2 training images (published 7,368)")
    assert second.startswith("cuhk03_np_detected: 1 training images (published 7,365)")


def test_published_counts_add_up_to_all_images() -> None:
    totals = {
        style: counts.training_images + counts.query_images + counts.gallery_images
        for style, counts in PUBLISHED.items()
    }
    assert totals == {"labeled": 14_096, "detected": 14_097}
