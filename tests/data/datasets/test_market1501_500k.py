from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.market1501 import FOLDER_NAMES, load_market1501
from reid_gl.data.datasets.market1501_500k import load_market1501_500k
from tests.data.datasets.peer_samples import assert_same_as_torchreid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
DISTRACTORS = ("images/0000_c6s1_000001_00.jpg", "images/0000_c2s4_000001_00.jpg", "images/notes.txt")


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "market1501/Market-1501-v15.09.15"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], home: str
) -> None:
    folder = make_files(tmp_path / home, [*market_names, *DISTRACTORS])
    dataset, market = load_market1501_500k(tmp_path), load_market1501(tmp_path)
    for part in ("", "query", "images"):
        assert load_market1501_500k(folder / part) == dataset
    assert dataset.name == "market1501_500k"
    assert (dataset.train, dataset.query) == (market.train, market.query)
    assert dataset.gallery[:2] == market.gallery
    assert [(Path(s.path).name, s.pid, s.camid) for s in dataset.gallery[2:]] == [
        ("0000_c2s4_000001_00.jpg", 0, 1),
        ("0000_c6s1_000001_00.jpg", 0, 5),
    ]


def test_identity_minus_one_is_a_distractor_among_them(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, [*market_names, "images/-1_c3s1_000001_00.jpg"])
    dataset = load_market1501_500k(tmp_path)
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(0, 0), (1, 1), (0, 2)]


def test_the_sizes_of_market1501_itself_are_compared(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    load_market1501_500k(make_files(tmp_path, [*market_names, *DISTRACTORS]))
    (record,) = caplog.records
    assert "market1501: 3 training images (published 12,936)" in record.getMessage()


def test_agrees_with_torchreid(tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]) -> None:
    make_files(tmp_path / "market1501" / "Market-1501-v15.09.15", [*market_names, *DISTRACTORS])
    hidden = tmp_path / "market1501" / "Market-1501-v15.09.15" / "bounding_box_test"
    (hidden / "._0001_c2s1_000301_00.jpg").unlink()  # torchreid takes it for an image
    peer = import_torchreid_quietly("torchreid.reid.data.datasets.image.market1501")
    theirs = peer.Market1501(root=str(tmp_path), market1501_500k=True, verbose=False)
    assert_same_as_torchreid(load_market1501_500k(tmp_path), theirs)


def test_broken_sets(tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]) -> None:
    make_files(tmp_path, market_names)
    with pytest.raises(FileNotFoundError, match=r"(?s)Market-1501\+500k is not in.*which lacks images"):
        load_market1501_500k(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no image in .*images"):
        load_market1501_500k(tmp_path)
    make_files(tmp_path, [*DISTRACTORS, "images/0007_c1s1_000001_00.jpg"])
    with pytest.raises(ValueError, match=r"file name '0007_c1s1_000001_00\.jpg' in .*images does not say"):
        load_market1501_500k(tmp_path)
