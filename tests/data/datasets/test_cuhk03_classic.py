from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.cuhk03_classic import NUM_SPLITS, load_cuhk03_classic
from reid_gl.data.datasets.reading.cuhk03_extract import (
    IMAGES_FOLDER,
    MARKER,
    MAT_NAME,
    STYLES,
    extract_cuhk03_images,
)
from reid_gl.data.datasets.reading.cuhk03_protocol import FIELDS, protocol_name
from tests.data.datasets.peer_samples import assert_same_as_torchreid
from tests.data.datasets.reading.test_cuhk03_extract import image, store, store_cells
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
Load = Callable[..., Any]
SHOWN = {1: [(0, 0), (0, 1), (0, 5), (1, 0), (1, 7), (2, 4), (2, 9)], 2: [(0, 2), (0, 6), (1, 8)]}
"""Person and column of each image, from 0, by camera pair."""


def write_mat(path: Path, test_sets: list[list[list[int]]]) -> Path:
    """The original file with pairs of 3 and 2 people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as mat:
        for style in STYLES:
            pairs = np.empty((2, 1), dtype=object)
            for pair, shown in SHOWN.items():
                cells = {place: image(pair) for place in shown}
                pairs[pair - 1, 0] = store_cells(mat, f"{style}{pair}", 4 - pair, cells)
            store(mat, style, pairs, h5py.ref_dtype)
        sets = np.empty((len(test_sets), 1), dtype=object)
        for number, people in enumerate(test_sets):
            sets[number, 0] = store(mat, f"#refs#/test{number}", np.array(people, dtype=np.float64))
        store(mat, "testsets", sets, h5py.ref_dtype)
    return path


TEST_SETS = [[[1, 1 + split % 3], [2, 1]] for split in range(NUM_SPLITS)]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    mat_path = write_mat(tmp_path / "cuhk03" / "cuhk03_release" / MAT_NAME, TEST_SETS)
    extract_cuhk03_images(mat_path, show_progress=False)
    return mat_path.parent


def names(samples: tuple[Any, ...]) -> list[tuple[str, int, int]]:
    return [(Path(sample.path).stem, sample.pid, sample.camid) for sample in samples]


@pytest.mark.parametrize(("labelled", "style"), [(True, "labelled"), (False, "detected")])
def test_the_official_test_set_decides(release: Path, labelled: bool, style: str) -> None:
    dataset = load_cuhk03_classic(release, labelled=labelled, split=4)
    assert dataset.name == f"cuhk03_classic_{style}"
    assert names(dataset.train) == [
        ("1_001_1_01", 1001, 0),
        ("1_001_1_02", 1001, 0),
        ("1_001_2_06", 1001, 1),
        ("1_003_1_05", 1003, 0),
        ("1_003_2_10", 1003, 1),
        ("2_002_2_09", 2002, 1),
    ]
    assert names(dataset.query) == [("1_002_1_01", 1002, 0), ("2_001_1_03", 2001, 0)]
    assert names(dataset.gallery) == [("1_002_2_08", 1002, 1), ("2_001_2_07", 2001, 1)]
    assert Path(dataset.query[0].path).parent.name == ("labeled" if labelled else "detected")


@pytest.mark.parametrize("root", [".", "cuhk03", f"cuhk03/cuhk03_release/{IMAGES_FOLDER}",
                                  f"cuhk03/cuhk03_release/{MAT_NAME}"])  # fmt: skip
def test_every_accepted_root_gives_the_same(tmp_path: Path, release: Path, root: str) -> None:
    expected = load_cuhk03_classic(release, labelled=True)
    assert load_cuhk03_classic(tmp_path / root, labelled=True) == expected
    assert names(expected.query)[0][1] == 1001


def test_agrees_with_torchreid_on_its_own_extraction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mat(tmp_path / "cuhk03" / "cuhk03_release" / MAT_NAME, TEST_SETS)
    for style in STYLES:
        indices = dict.fromkeys(FIELDS[1:], np.array([[1]]))
        fields = {"filelist": np.array(["1_001_1_01.png"], dtype=object), **indices}
        savemat(tmp_path / "cuhk03" / protocol_name(style), fields)
    writer = SimpleNamespace(imwrite=lambda path, image: Path(path).touch())
    monkeypatch.setitem(sys.modules, "imageio", writer)
    peer = import_torchreid_quietly("torchreid.reid.data.datasets.image.cuhk03")
    for split in (0, 1, 19):
        theirs = peer.CUHK03(
            str(tmp_path), split_id=split, cuhk03_labeled=True, cuhk03_classic_split=True, verbose=False
        )
        theirs.query = [item for item in theirs.query if item[2] == 0]  # torchreid searches both in both
        theirs.gallery = [item for item in theirs.gallery if item[2] == 1]
        assert_same_as_torchreid(load_cuhk03_classic(tmp_path, labelled=True, split=split), theirs)


def test_the_original_file_alone_asks_for_the_command(tmp_path: Path) -> None:
    mat_path = write_mat(tmp_path / "my data" / MAT_NAME, TEST_SETS)
    with pytest.raises(FileNotFoundError) as caught:
        load_cuhk03_classic(mat_path, labelled=True)
    assert str(caught.value) == (
        f"the images of CUHK03 are still inside {mat_path}: run `reid-gl extract-cuhk03 --mat '{mat_path}' "
        f"--out '{mat_path.parent / IMAGES_FOLDER}'` once, then load {mat_path.parent} again"
    )


def test_an_unfinished_extraction_is_not_used(release: Path) -> None:
    (release / IMAGES_FOLDER / MARKER).unlink()
    with pytest.raises(FileNotFoundError, match="still inside"):
        load_cuhk03_classic(release, labelled=True)


def test_people_to_test_without_a_image(release: Path) -> None:
    write_mat(release / MAT_NAME, [[[1, 1], [1, 9], [5, 2]]] * NUM_SPLITS)
    with pytest.raises(
        FileNotFoundError, match=r"2 of the 3 test people in split 0 .* the first is 1009; extract"
    ):
        load_cuhk03_classic(release, labelled=True)


@pytest.mark.parametrize("test_sets", [TEST_SETS[:19], [[[1, 1, 1]]] * NUM_SPLITS])
def test_other_test_sets(release: Path, test_sets: list[list[list[int]]]) -> None:
    write_mat(release / MAT_NAME, test_sets)
    with pytest.raises(ValueError, match=r"cuhk-03\.mat has no test sets: expected testsets, 20 cells"):
        load_cuhk03_classic(release, labelled=True)


def test_a_file_without_test_sets(release: Path) -> None:
    with h5py.File(release / MAT_NAME, "r+") as mat:
        del mat["testsets"]
    with pytest.raises(ValueError, match="has no test sets"):
        load_cuhk03_classic(release, labelled=False)


def test_other_splits_names_and_folders_are_refused(
    tmp_path: Path, release: Path, make_files: MakeFiles
) -> None:
    with pytest.raises(ValueError, match="CUHK03 has no split 20: expected 0 to 19"):
        load_cuhk03_classic(release, labelled=True, split=20)
    make_files(release, [f"{IMAGES_FOLDER}/labeled/0001_c1_1.png"])
    with pytest.raises(ValueError, match=r"file name '0001_c1_1\.png' in .*labeled does not say"):
        load_cuhk03_classic(release, labelled=True)
    with pytest.raises(FileNotFoundError, match=r"CUHK03 \(detected\) is not in"):
        load_cuhk03_classic(tmp_path / "other", labelled=False)
