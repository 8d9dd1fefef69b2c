"""Objects between the camera and the person."""

from __future__ import annotations

import cv2
import numpy as np

from reid_gl.synthetic.palette import Colour, FloatImage

METALS: tuple[Colour, ...] = ((60, 60, 60), (150, 152, 150), (40, 90, 60), (40, 50, 130))
CARTONS: tuple[Colour, ...] = ((92, 134, 172), (70, 80, 90), (120, 120, 116), (60, 96, 60))


def _draw_pole(canvas: FloatImage, rng: np.random.Generator) -> None:
    """Draw a lamp post, never over the middle of the person."""
    height, width = canvas.shape[:2]
    side = float(rng.choice(np.array([-1.0, 1.0])))
    column = round(width * (0.5 + side * rng.uniform(0.12, 0.4)))
    thickness = int(rng.integers(6, 16))
    colour = METALS[int(rng.integers(len(METALS)))]
    cv2.line(canvas, (column, 0), (column + int(rng.integers(-3, 4)), height), colour, thickness)


def _draw_box(canvas: FloatImage, rng: np.random.Generator) -> None:
    """Draw a bin, a box or a low wall in front of the legs."""
    height, width = canvas.shape[:2]
    top = round(height * rng.uniform(0.66, 0.85))
    left = round(width * rng.uniform(-0.4, 0.5))
    right = left + round(width * rng.uniform(0.4, 1.0))
    colour = CARTONS[int(rng.integers(len(CARTONS)))]
    cv2.rectangle(canvas, (left, top), (right, height), colour, -1)
    cv2.line(canvas, (left, top), (right, top), tuple(min(255, v + 30) for v in colour), 4)


def _draw_bicycle(canvas: FloatImage, rng: np.random.Generator) -> None:
    """Draw a parked bicycle: two wheels and a frame, thin enough to see through."""
    height, width = canvas.shape[:2]
    x, y = round(width * rng.uniform(-0.1, 0.6)), round(height * rng.uniform(0.82, 0.92))
    radius, colour = round(height * 0.11), METALS[int(rng.integers(len(METALS)))]
    back, front = (x, y), (x + round(2.5 * radius), y)
    for hub in (back, front):
        cv2.circle(canvas, hub, radius, (36.0, 36.0, 36.0), 3)
    saddle, bars = (x + round(0.6 * radius), y - round(1.4 * radius)), (front[0] - 8, y - round(1.6 * radius))
    pedals = (x + radius, y)
    for one, other in (
        (back, saddle),
        (saddle, pedals),
        (pedals, bars),
        (bars, front),
        (saddle, bars),
        (back, pedals),
    ):
        cv2.line(canvas, one, other, colour, 4)


OCCLUDERS = (_draw_pole, _draw_box, _draw_bicycle)


def draw_occluder(canvas: FloatImage, rng: np.random.Generator) -> None:
    """Draw one random object in front of the person, in place."""
    OCCLUDERS[int(rng.integers(len(OCCLUDERS)))](canvas, rng)
