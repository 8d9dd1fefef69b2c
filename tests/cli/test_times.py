from __future__ import annotations

import argparse

import pytest

from reid_gl.cli.times import check_frame_rate, duration, point_in_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400.0),
        ("1970-01-01T00:01", 60.0),
        ("1970-01-01 00:01:00.500", 60.5),
        ("1970-01-01T02:00+01:00", 3_600.0),
        ("1970-01-01T01:00Z", 3_600.0),
        ("1700000000", 1.7e9),
        ("-1.5", -1.5),
    ],
)
def test_a_point_in_time(text: str, seconds: float) -> None:
    assert point_in_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("1.5h", 5400), ("30d", 2_592_000)]
)
def test_a_duration(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "12:30", "", "nan", "1e9"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a time such as"):
        point_in_time(text)


@pytest.mark.parametrize("text", ["30", "30 d", "-3d", "0d", "d", "3w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a duration such as 30d"):
        duration(text)


def test_a_frame_rate_needs_a_start() -> None:
    check_frame_rate(None, None)
    check_frame_rate(25.0, 0.0)
    with pytest.raises(ValueError, match="counted from --start: give both, or leave --fps out"):
        check_frame_rate(25.0, None)
    for wrong in (-1.0, 0.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"--fps must be a positive number .*, got {wrong}"):
            check_frame_rate(wrong, 0.0)
