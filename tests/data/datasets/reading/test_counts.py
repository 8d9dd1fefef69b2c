from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts, count_dataset
from reid_gl.records import ReidDataset, Sample

DATASET = ReidDataset(
    train=(Sample("a", 1), Sample("b", 1), Sample("c", 2)),
    query=(Sample("d", 3), Sample("e", 4)),
    gallery=(Sample("f", 3), Sample("g", 0), Sample("h", 4), Sample("i", 0)),
    name="tiny",
)
COUNTS = SplitCounts(3, 2, 2, 2, 4, 2)


def test_counts_by_hand() -> None:
    assert count_dataset(DATASET) == COUNTS


def test_equal_counts_are_not_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    check_counts(DATASET, COUNTS, Path("here"))
    assert not caplog.records


def test_a_difference_is_said_once_per_name_and_root(caplog: pytest.LogCaptureFixture) -> None:
    published = replace(COUNTS, training_images=12_936, gallery_distractors=0)
    for root in ("here", "here", "there"):
        check_counts(DATASET, published, Path(root))
    assert [record.getMessage() for record in caplog.records] == [
        "tiny: 3 training images (published 12,936), 2 gallery distractors (published 0) in "
        f"{root}; the scores cannot be compared with published ones"
        for root in ("here", "there")
    ]
