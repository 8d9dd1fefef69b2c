from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.counted_from_zero import count_from_one, is_counted_from_zero
from reid_gl.records import Sample


def _samples(*pids: int) -> list[Sample]:
    return [Sample(f"{number}.jpg", pid, number) for number, pid in enumerate(pids)]


def test_a_query_of_identity_0_says_how_people_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    assert is_counted_from_zero(_samples(3, 0), name="made up", source=Path("zero/query"))
    assert caplog.messages == [
        f"made up: a query in {Path('zero/query')} has identity 0, so people are counted from 0 there: each "
        "identity is its number + 1, and none marks distractors"
    ]
    caplog.clear()
    assert not is_counted_from_zero(_samples(3, 1, -1), name="made up", source=Path("one/query"))
    assert not is_counted_from_zero([], name="made up", source=Path("nothing/query"))
    assert not caplog.messages


def test_everybody_moves_up_by_one_but_junk() -> None:
    before = _samples(0, 5, -1)
    after = count_from_one(before)
    assert [sample.pid for sample in after] == [1, 6, -1]
    assert [(s.path, s.camid) for s in after] == [(s.path, s.camid) for s in before]
    assert [sample.pid for sample in before] == [0, 5, -1]
