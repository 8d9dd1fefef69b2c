"""A person detector as bad as real ones: it misses, shifts boxes and sees people where there are none."""

from __future__ import annotations

import numpy as np

from reid_gl.synthetic.film import Seen

HIT_RATE = 0.93
"""Of people in full view."""
LEAST_VISIBLE = 0.2
"""Share of a body that must be seen."""
SHIFT = 0.03
"""Standard deviation of each side of a box, share of its size."""
FALSE_ALARMS = 0.12
"""A frame, on average."""
BODY_ASPECT = 0.4

Detection = tuple[tuple[float, float, float, float], float]
"""Left, top, width, height in pixels from 0, and the confidence in [0, 1]."""


def detect(seen: list[Seen], width: int, height: int, rng: np.random.Generator) -> list[Detection]:
    """Boxes a detector would give for one frame.

    Args:
        seen: who is there, and how much is seen of them.
        width: of the frame, pixels.
        height: of the frame, pixels.
        rng: luck.

    Returns:
        Boxes inside the frame, in no order that says who is who.
    """
    found = [detection for person in seen for detection in _detect_one(person, width, height, rng)]
    for _ in range(int(rng.poisson(FALSE_ALARMS))):
        tall = height * float(rng.uniform(0.25, 0.5))
        left, top = rng.uniform(0, width - BODY_ASPECT * tall), rng.uniform(0.1 * height, height - tall)
        found.append(((float(left), float(top), BODY_ASPECT * tall, tall), float(rng.uniform(0.1, 0.5))))
    return [found[int(index)] for index in rng.permutation(len(found))]


def _detect_one(person: Seen, width: int, height: int, rng: np.random.Generator) -> list[Detection]:
    """One box or none; the less is seen, the likelier none."""
    luck, shifts, doubt = rng.random(), rng.normal(0, SHIFT, 4), float(rng.normal(0, 0.08))
    excess = (person.visibility - LEAST_VISIBLE) / (1 - LEAST_VISIBLE)
    if excess <= 0 or luck > HIT_RATE * min(1.0, 0.4 + 1.2 * excess):
        return []
    left, top, wide, tall = person.box
    sides = np.array([left, top, left + wide, top + tall]) + shifts * np.array([wide, tall, wide, tall])
    x1, x2 = np.clip(sides[[0, 2]], 0, width)
    y1, y2 = np.clip(sides[[1, 3]], 0, height)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return []
    confidence = float(np.clip(0.35 + 0.6 * person.visibility + doubt, 0.05, 1.0))
    return [((float(x1), float(y1), float(x2 - x1), float(y2 - y1)), confidence)]
