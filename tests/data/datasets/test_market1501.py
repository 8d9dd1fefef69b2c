from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.market1501 import FOLDER_NAMES, PUBLISHED, load_market1501

MakeFiles = Callable[[Path, Iterable[str]], Path]
PARTS = ("bounding_box_train", "query", "bounding_box_test")


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "market1501", "market1501/Market-1501-v15.09.15"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...], home: str
) -> None:
    make_files(tmp_path / home, market_names)
    expected = load_market1501(tmp_path / home)
    assert expected.name == "market1501"
    assert len(expected.train) == 3
    for root in (tmp_path, *(tmp_path / home / part for part in PARTS)):
        assert load_market1501(root) == expected


def test_a_miss_shows_tree_content_and_nearest_match(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path / "my_set", [name for name in market_names if not name.startswith("query")])
    with pytest.raises(FileNotFoundError) as caught:
        load_market1501(tmp_path)
    message = str(caught.value)
    assert f"Market-1501 is not in {tmp_path}" in message
    assert all(f"        {part}/" in message for part in PARTS)
    assert f"found in {tmp_path}: my_set/" in message
    assert f"nearest match: {tmp_path / 'my_set'}, which lacks query" in message


def test_other_counts_are_said_once_and_load(
    tmp_path: Path,
    make_files: MakeFiles,
    market_names: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_files(tmp_path, market_names)
    assert load_market1501(tmp_path) == load_market1501(str(tmp_path))
    (record,) = caplog.records
    assert "market1501: 3 training images (published 12,936), 2 training identities" in record.getMessage()
    assert "2 gallery images (published 15,913)" in record.getMessage()


def test_published_counts_fit_together() -> None:
    assert PUBLISHED.training_identities + PUBLISHED.query_identities == 1_501
    assert PUBLISHED.gallery_images - PUBLISHED.gallery_distractors == 13_115
    assert PUBLISHED.gallery_images + 3_819 == 19_732  # with junk
