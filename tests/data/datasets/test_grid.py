from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.grid import NUM_SPLITS, PARTITIONS, load_grid
from tests.data.datasets.peer_samples import assert_same_as_torchreid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = [f"probe/{person:04}_{1 + person % 3}_25_{person}.jpeg" for person in range(1, 251)]
NAMES += [f"gallery/{person:04}_{4 + person % 5}_26_{person}.jpeg" for person in range(1, 251)]
NAMES += [f"gallery/0000_{1 + number % 8}_27_{number}.jpeg" for number in range(775)]
TRAINING = [np.sort(1 + np.random.default_rng(split).permutation(250)[:125]) for split in range(NUM_SPLITS)]


def write_partitions(folder: Path, people: list[np.ndarray]) -> None:
    cells = np.empty((1, len(people)), dtype=object)
    for split, numbers in enumerate(people):
        cells[0, split] = {"probeImIdx": numbers, "galleryImIdx": numbers + 250, "people": numbers}
    savemat(folder / PARTITIONS, {"trainIdxAll": cells, "ftrset": np.zeros((3, 2))})


@pytest.fixture
def make_grid(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        make_files(folder, [*NAMES, "probe/Thumbs.db"])
        write_partitions(folder, TRAINING)
        return folder

    return make


@pytest.mark.parametrize("home", ["", "GRID", "grid/underground_reid"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_grid: Callable[[Path], Path], home: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_grid(tmp_path / home)
    dataset = load_grid(tmp_path)
    for part in ("", "probe", PARTITIONS):
        assert load_grid(folder / part) == dataset
    assert dataset.name == "grid"
    assert not caplog.records  # the published sizes


@pytest.mark.parametrize("split", [0, 9])
def test_the_partition_decides(tmp_path: Path, make_grid: Callable[[Path], Path], split: int) -> None:
    dataset = load_grid(make_grid(tmp_path), split=split)
    test = sorted(set(range(1, 251)) - set(TRAINING[split].tolist()))
    assert [sample.pid for sample in dataset.train] == TRAINING[split].tolist() * 2
    assert [sample.pid for sample in dataset.query] == test
    assert [sample.pid for sample in dataset.gallery] == [0] * 775 + test
    assert [sample.camid for sample in dataset.query] == [person % 3 for person in test]
    assert [Path(sample.path).parent.name for sample in dataset.train] == ["gallery"] * 125 + ["probe"] * 125


def test_agrees_with_torchreid(tmp_path: Path, make_grid: Callable[[Path], Path]) -> None:
    make_grid(tmp_path / "grid" / "underground_reid")
    peer = import_torchreid_quietly("torchreid.reid.data.datasets.image.grid")
    for split in (0, 4):
        theirs = peer.GRID(root=str(tmp_path), split_id=split, verbose=False)
        assert_same_as_torchreid(load_grid(tmp_path, split=split), theirs)


def test_other_counts_are_said(
    tmp_path: Path, make_grid: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    make_grid(tmp_path)
    (tmp_path / NAMES[-1]).unlink()
    load_grid(tmp_path)
    assert "grid: 899 gallery images (published 900), 774 gallery distractors" in caplog.text


def test_people_of_the_partition_without_a_image(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["probe/0001_1_1.jpeg", "gallery/0001_2_1.jpeg"])
    write_partitions(tmp_path, [np.array([1, 7, 8])] * NUM_SPLITS)
    with pytest.raises(ValueError, match=r"trains on 2 people without an image in .*probe, the first is 7"):
        load_grid(tmp_path)


def test_a_file_without_partitions(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["probe/0001_1_1.jpeg", "gallery/0001_2_1.jpeg"])
    message = r"features_and_partitions\.mat has no partitions: expected trainIdxAll, 10 cells"
    contents: list[dict[str, np.ndarray]] = [{"other": np.zeros(3)}, {"trainIdxAll": np.zeros(10)}]
    for content in contents:
        savemat(tmp_path / PARTITIONS, content)
        with pytest.raises(ValueError, match=message):
            load_grid(tmp_path)
    (tmp_path / PARTITIONS).write_bytes(b"nothing of MATLAB")
    with pytest.raises(ValueError, match=r"features_and_partitions\.mat cannot be read as a MATLAB file"):
        load_grid(tmp_path)
    write_partitions(tmp_path, TRAINING[:9])
    with pytest.raises(ValueError, match=message):
        load_grid(tmp_path)


def test_broken_sets(tmp_path: Path, make_grid: Callable[[Path], Path], make_files: MakeFiles) -> None:
    folder = make_grid(tmp_path / "whole")
    with pytest.raises(ValueError, match="GRID has no split 10: expected 0 to 9"):
        load_grid(folder, split=10)
    make_files(folder, ["gallery/0300_x.jpeg"])
    with pytest.raises(ValueError, match=r"file name '0300_x\.jpeg' in .*gallery does not say"):
        load_grid(folder)
    (folder / PARTITIONS).unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)GRID is not in.*lacks features_and_partitions\.mat"):
        load_grid(folder)
