from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.dukemtmc_reid import FOLDER_NAMES, NOTICE, load_dukemtmc_reid

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    "bounding_box_train/0001_c2_f0046182.jpg",
    "bounding_box_train/0001_c8_f0046302.jpg",
    "query/0005_c2_f0046985.jpg",
    "bounding_box_test/0005_c5_f0051781.jpg",
    "bounding_box_test/4388_c1_f0147895.jpg",
)


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "dukemtmc-reid/DukeMTMC-reID"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    make_files(tmp_path / home, NAMES)
    dataset = load_dukemtmc_reid(tmp_path)
    assert dataset == load_dukemtmc_reid(tmp_path / home / "query")
    assert dataset.name == "dukemtmc_reid"
    assert [(sample.pid, sample.camid) for sample in dataset.train] == [(1, 1), (1, 7)]
    assert [(sample.pid, sample.camid) for sample in dataset.query] == [(5, 1)]
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(5, 4), (4388, 0)]


def test_the_notice_is_logged_once_and_links_nowhere(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    for home in ("a", "b"):
        load_dukemtmc_reid(make_files(tmp_path / home, NAMES))
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count(NOTICE) == 1
    assert "withdrawn by its authors in 2019" in NOTICE
    assert "http" not in NOTICE
    counts = [message for message in messages if message != NOTICE]
    assert [message.split(" (")[0] for message in counts] == ["dukemtmc_reid: 2 training images"] * 2


def test_a_miss_names_the_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="DukeMTMC-reID is not in"):
        load_dukemtmc_reid(tmp_path)
