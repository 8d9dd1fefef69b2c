"""A simulated person detector with realistic errors: misses, shifted boxes and false alarms."""

from __future__ import annotations

import numpy as np

from reid_gl.synthetic.film import Seen

HIT_RATE = 0.93
"""Probability of detecting a fully visible person."""
LEAST_VISIBLE = 0.2
"""Smallest visible share of a body that can be detected."""
SHIFT = 0.03
"""Standard deviation of each side of a box, relative to the box size."""
FALSE_ALARMS = 0.12
"""Mean number of false alarms per frame."""
BODY_ASPECT = 0.4

Detection = tuple[tuple[float, float, float, float], float]
"""Left, top, width and height in pixels, from 0; and the confidence in [0, 1]."""


def detect(seen: list[Seen], width: int, height: int, rng: np.random.Generator) -> list[Detection]:
    """Simulate the detections of one frame.

    Args:
        seen: the people in the frame, with their visibility.
        width: width of the frame, pixels.
        height: height of the frame, pixels.
        rng: source of all random choices.

    Returns:
        Boxes inside the frame, shuffled so that their order does not reveal the person.
    """
    found = [detection for person in seen for detection in _detect_one(person, width, height, rng)]
    for _ in range(int(rng.poisson(FALSE_ALARMS))):
        tall = height * float(rng.uniform(0.25, 0.5))
        left, top = rng.uniform(0, width - BODY_ASPECT * tall), rng.uniform(0.1 * height, height - tall)
        found.append(((float(left), float(top), BODY_ASPECT * tall, tall), float(rng.uniform(0.1, 0.5))))
    return [found[int(index)] for index in rng.permutation(len(found))]


def _detect_one(person: Seen, width: int, height: int, rng: np.random.Generator) -> list[Detection]:
    """Detect one person: one box or none; the lower the visibility, the likelier a miss."""
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
