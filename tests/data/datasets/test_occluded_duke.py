from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.dukemtmc_reid import NOTICE
from reid_gl.data.datasets.occluded_duke import FOLDER_NAMES, load_occluded_duke

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    "bounding_box_train/0001_c2_f0046182.jpg",
    "query/0019_c1_f0051230.jpg",
    "bounding_box_test/0002_c1_f0044158.jpg",
    "bounding_box_test/0019_c8_f0051781.jpg",
)


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "occluded_duke"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    make_files(tmp_path / home, NAMES)
    dataset = load_occluded_duke(tmp_path)
    assert dataset == load_occluded_duke(tmp_path / home / "query")
    assert dataset.name == "occluded_duke"
    assert [(sample.pid, sample.camid) for sample in dataset.train] == [(1, 1)]
    assert [(sample.pid, sample.camid) for sample in dataset.query] == [(19, 0)]
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(2, 0), (19, 7)]


def test_the_notice_and_other_counts_are_said_once(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path, NAMES)
    load_occluded_duke(tmp_path)
    load_occluded_duke(tmp_path)
    notice, counts = (record.getMessage() for record in caplog.records)
    assert notice == NOTICE
    assert counts.startswith("occluded_duke: 1 training images (published 15,618)")


def test_broken_sets(tmp_path: Path, make_files: MakeFiles) -> None:
    with pytest.raises(FileNotFoundError, match="Occluded-Duke is not in"):
        load_occluded_duke(tmp_path)
    make_files(tmp_path, [*NAMES, "query/0019.jpg"])
    with pytest.raises(ValueError, match=r"file name '0019\.jpg' in .*query does not say"):
        load_occluded_duke(tmp_path)
