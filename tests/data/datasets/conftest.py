from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.notices import warn_once

MakeFiles = Callable[[Path, Iterable[str]], Path]


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> Iterator[None]:
    warn_once.cache_clear()
    yield
    warn_once.cache_clear()


@pytest.fixture
def make_files() -> MakeFiles:
    """Write empty files: whoever opened one as an image would fail."""

    def make(folder: Path, names: Iterable[str]) -> Path:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return folder

    return make


@pytest.fixture
def market_names() -> tuple[str, ...]:
    return (
        "bounding_box_train/0002_c1s1_000451_03.jpg",
        "bounding_box_train/0002_c3s1_000551_01.jpg",
        "bounding_box_train/0007_c6s3_077467_01.jpg",
        "bounding_box_train/Thumbs.db",
        "query/0001_c1s1_001051_00.jpg",
        "query/.DS_Store",
        "bounding_box_test/-1_c1s1_000401_03.jpg",
        "bounding_box_test/0000_c1s1_000151_01.jpg",
        "bounding_box_test/0001_c2s1_000301_00.jpg",
        "bounding_box_test/._0001_c2s1_000301_00.jpg",
        "bounding_box_test/notes.txt",
    )
