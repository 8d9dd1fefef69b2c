from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.ltcc import load_ltcc

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    *("train/000_1_c2_000012.png", "train/094_1_c9_015833.png", "train/094_2_c1_000001.png"),
    *("query/007_1_c1_000002.png", "test/007_1_c3_000002.png", "test/007_12_c4_000002.png", "test/Thumbs.db"),
)


@pytest.mark.parametrize("home", ["", "LTCC_ReID", "ltcc/LTCC_ReID"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    folder = make_files(tmp_path / home, NAMES)
    dataset = load_ltcc(tmp_path)
    for part in ("train", "query", "test"):
        assert load_ltcc(folder / part) == dataset
    found = [
        [(sample.pid, sample.camid, sample.clothes) for sample in part]
        for part in (dataset.train, dataset.query, dataset.gallery)
    ]
    assert found == [
        [(1, 1, 1001), (95, 8, 95001), (95, 0, 95002)],
        [(8, 0, 8001)],
        [(8, 3, 8012), (8, 2, 8001)],
    ]
    assert dataset.name == "ltcc"


def test_other_counts_and_other_names(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path, NAMES)
    load_ltcc(tmp_path)
    assert "ltcc: 3 training images (published 9,576)" in caplog.text
    make_files(tmp_path, ["query/007_c1_000002.png"])
    with pytest.raises(ValueError, match=r"file name '007_c1_000002\.png' in .*query does not say what it"):
        load_ltcc(tmp_path)
    with pytest.raises(FileNotFoundError, match="LTCC is not in"):
        load_ltcc(tmp_path / "nowhere")
