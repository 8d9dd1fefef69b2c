"""Points in time and durations as words of a command."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timezone

UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def point_in_time(text: str) -> float:
    """Seconds since 1970 of "2026-11-28", "2026-11-28T08:30", with an offset such as +01:00, or of a number.

    Without an offset the time is UTC.

    Raises:
        argparse.ArgumentTypeError: neither.
    """
    if re.fullmatch(r"-?\d+(\.\d*)?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a time such as 2026-11-28T08:30+01:00 or seconds since 1970, got {text!r}"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def check_frame_rate(fps: float | None, start: float | None) -> None:
    """Check that a frame rate, if given, is one and has a use.

    Raises:
        ValueError: it is not a positive number, or there is no start from which it could count times.
    """
    if fps is None:
        return
    if not 0 < fps < float("inf"):
        raise ValueError(f"--fps must be a positive number of frames a second, got {fps}")
    if start is None:
        raise ValueError(
            "--fps gives frames their times, counted from --start: give both, or leave --fps out"
        )


def duration(text: str) -> float:
    """Seconds of "90s", "45m", "12h" or "30d".

    Raises:
        argparse.ArgumentTypeError: none of them.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"expected a duration such as 30d, 12h, 45m or 90s, got {text!r}")
    return float(found[1]) * UNITS[found[2]]
