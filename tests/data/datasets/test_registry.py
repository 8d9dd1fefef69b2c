from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data import datasets as sources
from reid_gl.data.datasets import LOADERS, load_dataset, load_datasets, register_dataset
from reid_gl.records import ReidDataset, Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]


def test_names_of_the_registry() -> None:
    assert len(LOADERS) == 58
    assert [name for name in LOADERS if name != name.lower() or set(name) & set(":=, ")] == []
    assert all(hasattr(sources, name) for name in sources.__all__)


def test_the_guide_lists_every_set() -> None:
    guide = (Path(__file__).parents[3] / "data" / "README.md").read_text()
    assert [name for name in LOADERS if f"`{name}`" not in guide] == []


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


def test_a_split_is_named_after_a_colon(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(
        tmp_path, [f"{camera}/{person:03d}_0.bmp" for camera in ("cam_a", "cam_b") for person in range(9)]
    )
    people = [{sample.pid for sample in load_dataset(name, tmp_path).query} for name in ("viper", "viper:3")]
    assert people[0] != people[1]
    with pytest.raises(ValueError, match=r"viper has no split 99: expected 0 to 19"):
        load_dataset("viper:99", tmp_path)
    with pytest.raises(
        ValueError, match=r"market1501 has only one split: write 'market1501' instead of 'market1501:1'"
    ):
        load_dataset("market1501:1", tmp_path)


def test_several_sets_may_lie_in_several_places(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path / "a" / "market1501", market_names)
    make_files(tmp_path / "elsewhere", market_names)
    first, second = load_datasets(f"market1501, synthetic={tmp_path / 'elsewhere'}", tmp_path / "a")
    assert (first.name, second.name) == ("market1501", "synthetic")
    assert str(tmp_path / "elsewhere") in second.train[0].path


def test_the_pattern_reaches_its_reader(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["train/ann-1.jpg", "query/bob-1.jpg", "gallery/bob-2.jpg"])
    dataset = load_dataset("pattern", tmp_path, pattern=r"(?P<pid>[a-z]+)-\d")
    assert [len(side) for side in (dataset.train, dataset.query, dataset.gallery)] == [1, 1, 1]


def load_mine(root: str, *, split: int = 0) -> ReidDataset:
    return ReidDataset((Sample(f"{root}/a.jpg", 1, 0),), (), (), f"mine{split}")


def test_a_registered_data_set_is_loaded_by_its_name() -> None:
    register_dataset("mine", load_mine)
    try:
        dataset = load_dataset("mine:3=/somewhere", "data")
        assert (dataset.name, dataset.train[0].path) == ("mine3", "/somewhere/a.jpg")
        with pytest.raises(ValueError, match="there is already a data set 'mine'"):
            register_dataset("mine", load_mine)
    finally:
        del LOADERS["mine"]
    with pytest.raises(ValueError, match="letters, digits"):
        register_dataset("a=b", load_mine)
