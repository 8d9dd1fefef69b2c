"""Lines of MOT Challenge files, and boxes as rows of numbers."""

from __future__ import annotations

import numpy as np

from reid_gl.data.mot.read import (
    MotBoxes,
)


def rows_of(boxes: MotBoxes) -> list[tuple[float, ...]]:
    columns = (boxes.frames, boxes.ids, *boxes.boxes.T, boxes.confidences, boxes.classes, boxes.visibilities)
    return [tuple(float(value) for value in row) for row in zip(*columns, strict=True)]


def random_lines(seed: int, columns: int) -> list[str]:
    """Unsorted lines, each with an id of its own."""
    rng = np.random.default_rng(seed)
    lines = []
    for identity in range(1, int(rng.integers(2, 30))):
        box = [f"{value:.2f}" for value in (*rng.uniform(-20, 200, 2), *rng.uniform(0, 90, 2))]
        rest = [f"{rng.uniform():.3f}", str(rng.integers(1, 13)), f"{rng.uniform():.3f}", "-1"][: columns - 6]
        lines.append(",".join([str(rng.integers(1, 9)), str(identity), *box, *rest]))
    return lines
