"""Curves of a training run, from the log that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reid_gl.untrusted.regular_file import MAX_TEXT_BYTES, read_regular_file

MAX_POINTS = 400
"""Longer curves are thinned out by averaging neighbouring lines."""
LARGEST = 1e15
"""Largest number that can be a loss, a score or a count of steps; others are left out."""
PLACE = ("type", "epoch", "step")


def read_training_curves(path: Path) -> dict[str, Any] | None:
    """Read losses, learning rate and evaluations from a run's log.

    Args:
        path: log.jsonl of a run folder.

    Returns:
        "steps" and "evaluations", each with the "epoch" of every point, which is a fraction within an epoch,
        and a list of values by name. None if there is no log, or nothing in it. Lines that are not JSON
        objects of the log are skipped, because a killed run leaves half a line.

    Raises:
        ValueError: the log is too large.
    """
    if not path.is_file():
        return None
    content = read_regular_file(path, max_bytes=MAX_TEXT_BYTES).decode("utf-8", errors="replace")
    lines = [line for text in content.splitlines() if (line := _read(text))]
    longest = max((line["step"] for line in lines), default=0)
    curves = {}
    for name, kind in (("steps", "step"), ("evaluations", "evaluation")):
        own = [line for line in lines if line["type"] == kind]
        # the last line of an epoch says how many are finished; steps of a longer one count within it
        epochs = [line["epoch"] + line["step"] / (longest + 1) for line in own]
        curves[name] = _thin_out(epochs, own)
    return curves if curves["steps"]["epoch"] or curves["evaluations"]["epoch"] else None


def _read(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):  # ValueError: no JSON, or a number of thousands of digits
        return None
    if not isinstance(line, dict) or not all(_is_count(line.get(name)) for name in ("epoch", "step")):
        return None
    return line if isinstance(line.get("type"), str) else None


def _thin_out(epochs: list[float], lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the values by name, as means of equally many neighbouring lines."""
    names = [
        name for line in lines for name, value in line.items() if name not in PLACE and _is_number(value)
    ]
    every = -(-len(lines) // MAX_POINTS) or 1
    groups = [slice(start, start + every) for start in range(0, len(lines), every)]
    curves: dict[str, Any] = {"epoch": [_mean(epochs[group]) for group in groups]}
    for name in dict.fromkeys(names):
        curves[name] = [
            _mean([line[name] for line in lines[group] if _is_number(line.get(name))]) for group in groups
        ]
    return curves


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value) and value >= 0


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
