from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets import extra_queries as multi_query
from reid_gl.data.datasets.extra_queries import load_multi_query
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
BOXES = (
    "gt_bbox/0001_c1s1_001051_00.jpg",  # the query itself
    "gt_bbox/0001_c1s2_001101_00.jpg",
    "gt_bbox/0001_c2s1_000301_00.jpg",  # another camera
    "gt_bbox/0002_c1s1_000451_00.jpg",  # nobody among the queries
    "gt_bbox/Thumbs.db",
)


@pytest.mark.parametrize("home", ["", "Market-1501-v15.09.15", "market1501"])
def test_reads_the_boxes_of_the_queries_from_every_accepted_root(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], home: str
) -> None:
    make_files(tmp_path / home, [*market_names, *BOXES])
    folder = tmp_path / home / "gt_bbox"
    expected = (
        Sample(str(folder / "0001_c1s1_001051_00.jpg"), 1, 0),
        Sample(str(folder / "0001_c1s2_001101_00.jpg"), 1, 0),
    )
    for root in (tmp_path, tmp_path / home, folder, tmp_path / home / "query"):
        assert load_multi_query(root) == expected
    assert load_multi_query(str(tmp_path)) == expected


def test_a_missing_folder_says_what_to_do(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, market_names)
    with pytest.raises(FileNotFoundError) as caught:
        load_multi_query(tmp_path)
    message = str(caught.value)
    assert f"Market-1501 with multiple queries is not in {tmp_path}" in message
    assert "gt_bbox/             boxes drawn by hand, from the same archive" in message
    assert "which lacks gt_bbox" in message
    assert "see the project's data/README.md for where to get the data set" in message


def test_an_empty_folder_and_a_strange_name(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, [*market_names, "gt_bbox/readme.txt"])
    with pytest.raises(FileNotFoundError, match=r"no image in .*gt_bbox: expected .*unpack"):
        load_multi_query(tmp_path)
    make_files(tmp_path, ["gt_bbox/picture.jpg"])
    with pytest.raises(ValueError, match=r"file name 'picture\.jpg' in .*gt_bbox does not say identity"):
        load_multi_query(tmp_path)


def test_another_count_is_said_once_and_the_published_one_not_at_all(
    tmp_path: Path,
    make_files: MakeFiles,
    market_names: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_files(tmp_path, [*market_names, *BOXES])
    load_multi_query(tmp_path)
    load_multi_query(tmp_path)
    (record,) = caplog.records
    assert "market1501: 4 images (published 25,259) in" in record.getMessage()
    caplog.clear()
    monkeypatch.setattr(multi_query, "PUBLISHED_BOXES", 4)
    load_multi_query(tmp_path)
    assert not caplog.records


def test_a_query_of_identity_0_means_that_people_are_counted_from_0(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, [*market_names, *BOXES, "query/0000_c3s1_1.jpg", "gt_bbox/0000_c3s1_1.jpg"])
    assert {sample.pid for sample in load_multi_query(tmp_path)} == {1, 2}  # 0 and 1 in the files
