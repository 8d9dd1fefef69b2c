"""Draw boxes with identities into a frame."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from reid_gl.data.loading.images import Image8

Color = tuple[int, int, int]
GOLDEN = 0.618033988749895
"""Share of the circle of hues from one identity to the next, so that near numbers never look alike."""
NOBODY: Color = (128, 128, 128)
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class LabelledBox:
    """A box to draw.

    Attributes:
        corners: x1, y1, x2, y2 in pixels.
        identity: number from 1, which decides the colour; 0 draws a thin grey box without a label.
        similarity: cosine to the mean feature of the identity.
    """

    corners: tuple[float, float, float, float]
    identity: int
    similarity: float


def identity_color(identity: int) -> Color:
    """Return the RGB colour of an identity, always the same for a number; grey for 0."""
    if identity < 1:
        return NOBODY
    brightness = (1.0, 0.75)[identity // 8 % 2]
    red, green, blue = colorsys.hsv_to_rgb(identity * GOLDEN % 1.0, 0.85, brightness)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_boxes(frame: Image8, boxes: Sequence[LabelledBox]) -> Image8:
    """Return a copy of a frame with boxes and labels such as "3  0.87".

    Args:
        frame: (H, W, 3) uint8 RGB.
        boxes: drawn in the order of their lower edges, so that people in front cover those behind.
    """
    drawn: Image8 = frame.copy()
    thickness = max(1, round(frame.shape[0] / 300))
    for box in sorted(boxes, key=lambda one: one.corners[3]):
        corners = [round(number) for number in np.clip(box.corners, -1e4, 1e5).tolist()]
        start, end = (corners[0], corners[1]), (corners[2] - 1, corners[3] - 1)
        if box.identity < 1:
            cv2.rectangle(drawn, start, end, NOBODY, 1)
            continue
        cv2.rectangle(drawn, start, end, identity_color(box.identity), thickness)
        _draw_label(drawn, start, f"{box.identity}  {box.similarity:.2f}", identity_color(box.identity))
    return drawn


def _draw_label(frame: Image8, corner: tuple[int, int], text: str, color: Color) -> None:
    """Write text on a bar above a corner, or inside the frame where there is no space above."""
    height, width = frame.shape[:2]
    scale = max(0.35, height / 1000)
    weight = max(1, round(height / 500))
    (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, weight)
    bar_width, bar_height = text_width + 6, text_height + below + 4
    left = int(np.clip(corner[0], 0, max(0, width - bar_width)))
    top = int(np.clip(corner[1] - bar_height, 0, max(0, height - bar_height)))
    cv2.rectangle(frame, (left, top), (left + bar_width, top + bar_height), color, cv2.FILLED)
    is_bright = np.dot(color, (0.299, 0.587, 0.114)) > 140
    ink = (0, 0, 0) if is_bright else (255, 255, 255)
    cv2.putText(frame, text, (left + 3, top + text_height + 2), FONT, scale, ink, weight, cv2.LINE_AA)
