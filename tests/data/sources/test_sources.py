from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data import sources
from reid_gl.data.sources import LOADERS, load_dataset

MakeFiles = Callable[[Path, Iterable[str]], Path]


def test_names_of_the_registry() -> None:
    assert list(LOADERS) == [
        "market1501",
        "dukemtmc_reid",
        "cuhk03_np_labelled",
        "cuhk03_np_detected",
        "msmt17",
        "synthetic",
    ]
    assert all(hasattr(sources, name) for name in sources.__all__)


@pytest.mark.parametrize("name", ["market1501", "dukemtmc_reid", "synthetic"])
def test_loads_by_name(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], name: str
) -> None:
    make_files(tmp_path, market_names)
    dataset = load_dataset(name, tmp_path)
    assert dataset.name == name
    assert len(dataset.train) == 3


@pytest.mark.parametrize("style", ["labelled", "detected"])
def test_loads_either_kind_of_boxes(tmp_path: Path, make_files: MakeFiles, style: str) -> None:
    folder = "labeled" if style == "labelled" else style
    parts = ("bounding_box_train", "query", "bounding_box_test")
    make_files(tmp_path, [f"{folder}/{part}/0001_c1_1.png" for part in parts])
    assert load_dataset(f"cuhk03_np_{style}", str(tmp_path)).name == f"cuhk03_np_{style}"


def test_made_up_people_have_no_published_counts(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path / "synthetic", market_names)
    assert load_dataset("synthetic", tmp_path).name == "synthetic"
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Market-1501", "market1501"), ("cuhk03_np_labeled", "cuhk03_np_labelled"), ("", "")],
)
def test_an_unknown_name_lists_all_and_the_nearest(tmp_path: Path, name: str, nearest: str) -> None:
    message = rf"unknown data set '{name}': expected one of market1501, .*, synthetic; nearest: '{nearest}"
    with pytest.raises(ValueError, match=message):
        load_dataset(name, tmp_path)
