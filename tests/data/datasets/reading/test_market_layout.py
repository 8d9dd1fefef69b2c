from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.counts import SplitCounts
from reid_gl.data.datasets.reading.market_layout import load_market_layout, market_tree
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]


def test_reads_identity_and_camera_leaves_junk_out_and_keeps_distractors(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, market_names)
    dataset = load_market_layout(tmp_path, name="mine")
    assert dataset.name == "mine"
    train = tmp_path / "bounding_box_train"
    assert dataset.train == (
        Sample(str(train / "0002_c1s1_000451_03.jpg"), 2, 0),
        Sample(str(train / "0002_c3s1_000551_01.jpg"), 2, 2),
        Sample(str(train / "0007_c6s3_077467_01.jpg"), 7, 5),
    )
    assert [(sample.pid, sample.camid) for sample in dataset.query] == [(1, 0)]
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(0, 0), (1, 1)]


@pytest.mark.parametrize("name", ["0009_c12.png", "0009_c12s4_1.jpg.jpg", "9_c012_f0044158.JPEG"])
def test_accepts_common_variations(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], name: str
) -> None:
    make_files(tmp_path, [*market_names, f"query/{name}"])
    path = str(tmp_path / "query" / name)
    assert Sample(path, 9, 11) in load_market_layout(tmp_path).query


def test_order_does_not_depend_on_the_disk(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_files(tmp_path, market_names)
    expected = load_market_layout(tmp_path)
    scandir = os.scandir

    class Reversed:
        def __init__(self, folder: Path) -> None:
            with scandir(folder) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Reversed)
    assert load_market_layout(tmp_path) == expected


@pytest.mark.parametrize("name", ["IMG_001.jpg", "0001_c0s1_000151_01.jpg", "c1_0001.jpg"])
def test_a_name_outside_the_pattern_is_named(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], name: str
) -> None:
    make_files(tmp_path, [*market_names, f"query/{name}"])
    message = (
        rf"file name '{name}' in .*query does not say .*expected \{{identity\}}_c\{{camera, from 1\}}.*rename"
    )
    with pytest.raises(ValueError, match=message):
        load_market_layout(tmp_path)


def test_further_strange_names_are_counted(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, [*market_names, *(f"query/z{i}.jpg" for i in range(1_200))])
    with pytest.raises(ValueError, match=r"'z0\.jpg' \(1,199 more like it\)"):
        load_market_layout(tmp_path)


def test_a_query_of_identity_zero_means_that_people_are_counted_from_zero(
    tmp_path: Path,
    make_files: MakeFiles,
    market_names: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_files(tmp_path, market_names)
    dataset = load_market_layout(tmp_path)
    assert not caplog.records
    make_files(tmp_path, ["query/0000_c1.jpg"])
    make_files(tmp_path, ["bounding_box_test/0000_c2.jpg"])
    before = [{sample.pid for sample in side} for side in (dataset.train, dataset.query, dataset.gallery)]
    counted = load_market_layout(tmp_path)
    after = [{sample.pid for sample in side} for side in (counted.train, counted.query, counted.gallery)]
    assert after[0] == {pid + 1 for pid in before[0]}
    assert after[1] == {1} | {pid + 1 for pid in before[1]}
    assert after[2] >= {1} | {pid + 1 for pid in before[2]}
    assert (
        "query has identity 0, so people are counted from 0 there: each identity is its number" in caplog.text
    )


def test_counts_are_compared_if_given(
    tmp_path: Path,
    make_files: MakeFiles,
    market_names: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_files(tmp_path, market_names)
    load_market_layout(tmp_path, published=SplitCounts(3, 2, 1, 1, 2, 1))
    assert not caplog.records
    load_market_layout(tmp_path, published=SplitCounts(3, 2, 1, 1, 9, 1))
    assert "custom: 2 gallery images (published 9)" in caplog.text


def test_an_empty_part_is_an_error(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, [name for name in market_names if not name.startswith("query")])
    (tmp_path / "query").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no image in .*query"):
        load_market_layout(tmp_path)


def test_tree_names_the_three_folders() -> None:
    lines = market_tree("top", "png").splitlines()
    assert [line.split()[0] for line in lines] == [
        "top/",
        "bounding_box_train/",
        "query/",
        "bounding_box_test/",
    ]
    assert ".png" in lines[1]
