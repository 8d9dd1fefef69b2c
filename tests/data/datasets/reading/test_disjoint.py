from __future__ import annotations

import pytest

from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.records import ReidDataset, Sample

TRAIN = (Sample("a", 1), Sample("b", 5), Sample("c", 0), Sample("d", 3))


def test_disjoint_parts_pass_and_distractors_do_not_count() -> None:
    check_disjoint(ReidDataset(TRAIN, (Sample("e", 2),), (Sample("f", 2), Sample("g", 0))), "here")
    check_disjoint(ReidDataset((), (), ()), "here")


@pytest.mark.parametrize("part", ["query", "gallery"])
def test_an_identity_in_both_is_refused(part: str) -> None:
    test = (Sample("e", 5), Sample("f", 3), Sample("g", 3))
    dataset = ReidDataset(TRAIN, test, ()) if part == "query" else ReidDataset(TRAIN, (), test)
    with pytest.raises(
        ValueError, match=r"2 identities are in both .* of the lists, the first is 3: expected"
    ):
        check_disjoint(dataset, "the lists")
