"""MOT Challenge files, read line by line as their description says."""

from __future__ import annotations


def slow_read(text: str) -> list[tuple[float, ...]]:
    """(frame, id, left, top, width, height, confidence, class, visibility), left and top counted from 0."""
    rows = []
    for line in text.split("\n"):
        if line.strip() == "":
            continue
        numbers = [float(word) for word in line.split(",")]
        frame, identity, left, top, width, height, confidence = numbers[:7]
        kind, visibility = (numbers[7], numbers[8]) if len(numbers) == 9 else (1.0, 1.0)
        rows.append((frame, identity, left - 1, top - 1, width, height, confidence, kind, visibility))
    in_order: list[tuple[float, ...]] = []
    for frame in sorted({row[0] for row in rows}):
        in_order += [row for row in rows if row[0] == frame]
    return in_order
