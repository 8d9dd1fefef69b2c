"""Draw one body part: a textured, shaded, tapering cylinder with a smooth outline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from reid_gl.synthetic.palette import ByteImage, FloatImage

SUBPIXEL_BITS = 4
SUBPIXELS = 2**SUBPIXEL_BITS


@dataclass(frozen=True)
class Part:
    """A part of the figure, from one point of the image to another.

    Attributes:
        start: (column, row) pixels.
        end: (column, row) pixels.
        profile: (share of the way, half width in pixels) pairs from start to end; shares may lie outside
            [0, 1].
        tile: (rows, columns, 3) texture, wrapped around the part; its middle column is the front.
        depth: nearness to the camera; parts are drawn in ascending order.
        first_row: texture row at the start.
        rows: number of texture rows from start to end.
        per_radian: texture columns per radian.
        yaw: rotation of the texture, radians.
        shade: gain of the light; 1 is full light.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    profile: tuple[tuple[float, float], ...]
    tile: FloatImage
    depth: float
    first_row: float = 0.0
    rows: float = 1.0
    per_radian: float = 30.0
    yaw: float = 0.0
    shade: float = 1.0


def rounded(length: float, first: float, last: float) -> tuple[tuple[float, float], ...]:
    """Profile of a limb with round ends.

    Args:
        length: pixels from joint to joint.
        first: half width at the start, pixels.
        last: half width at the end, pixels.
    """
    length = max(length, 1.0)
    return (
        (-first / length, 0.25 * first),
        (-0.7 * first / length, 0.72 * first),
        (0.0, first),
        (1.0, last),
        (1 + 0.7 * last / length, 0.72 * last),
        (1 + last / length, 0.25 * last),
    )


def _axes(part: Part) -> tuple[tuple[float, float], tuple[float, float]]:
    """The vector from start to end, and the unit vector perpendicular to it, towards the image's right."""
    along = (part.end[0] - part.start[0], part.end[1] - part.start[1])
    length = math.hypot(*along)
    if length < 1e-3:
        return (0.0, 1.0), (1.0, 0.0)
    return along, (along[1] / length, -along[0] / length)


def outline(part: Part) -> list[tuple[float, float]]:
    """Corners of the part as (column, row) pixels, down one side and up the other."""
    (x, y), (along, across) = part.start, _axes(part)
    sides: list[list[tuple[float, float]]] = [[], []]
    for share, half_width in part.profile:
        for side, reach in zip(sides, (half_width, -half_width), strict=True):
            column = x + share * along[0] + reach * across[0]
            side.append((column, y + share * along[1] + reach * across[1]))
    return sides[0] + sides[1][::-1]


def _frame(corners: list[tuple[float, float]]) -> tuple[int, int, int, int]:
    """Bounding box of the corners: first column and row, and end column and row (exclusive)."""
    columns, rows = zip(*corners, strict=True)
    return (
        max(0, int(min(columns)) - 1),
        max(0, int(min(rows)) - 1),
        int(max(columns)) + 2,
        int(max(rows)) + 2,
    )


@lru_cache(maxsize=128)
def _columns(width: int) -> tuple[FloatImage, FloatImage]:
    """Angles (width,) on a cylinder at its projected columns, and (width,) even steps from 0 to 1."""
    angle = np.arcsin(np.linspace(-0.98, 0.98, width, dtype=np.float32))
    return angle, np.linspace(0, 1, width, dtype=np.float32)


@lru_cache(maxsize=1024)
def _shading(width: int, light: float) -> FloatImage:
    """Light (width, 3) on a cylinder lit from one side, the same for all three colours."""
    shading: FloatImage = 0.66 + 0.4 * np.maximum(np.cos(_columns(width)[0] - light), 0)
    return np.repeat(shading[:, None], 3, axis=1)


def _sprite(part: Part, light: float, width: int, height: int) -> FloatImage:
    """Shaded texture (height, width, 3) of the visible half of a part."""
    shading = part.shade * _shading(width, light)
    tile_height, tile_width = part.tile.shape[:2]
    if tile_width == 1:
        plain: FloatImage = np.repeat(part.tile[:1] * shading, height, axis=0)
        return plain
    angle = _columns(width)[0] - part.yaw
    columns = (tile_width / 2 + part.per_radian * angle).astype(np.int64) % tile_width
    first, last = part.profile[0][0], part.profile[-1][0]
    rows = part.first_row + part.rows * (first + (last - first) * _columns(height)[1])
    rows = np.minimum(np.maximum(rows, 0), tile_height - 1).astype(np.int64)
    sprite: FloatImage = part.tile.take(rows, axis=0).take(columns, axis=1) * shading
    return sprite


def draw_part(canvas: FloatImage, part: Part, light: float) -> None:
    """Draw one part over the canvas, in place.

    Args:
        canvas: (H, W, 3) float32 in [0, 255].
        part: what to draw.
        light: direction of the light, radians to the right of the camera.
    """
    corners = outline(part)
    left, top, right, bottom = _frame(corners)
    region = canvas[top:bottom, left:right] if right > 0 and bottom > 0 else canvas[:0]
    if region.size == 0:
        return
    mask: ByteImage = np.zeros(region.shape[:2], np.uint8)
    fixed = [(round(x * SUBPIXELS), round(y * SUBPIXELS)) for x, y in corners]
    offset = (-left * SUBPIXELS, -top * SUBPIXELS)
    cv2.fillPoly(
        mask, [np.array(fixed, np.int32) + np.array(offset, np.int32)], 255, cv2.LINE_AA, SUBPIXEL_BITS
    )
    paint = _warp_sprite(part, light, (left, top), (region.shape[1], region.shape[0]))
    weight = np.multiply(mask, 1 / 255, dtype=np.float32)
    region[:] = cv2.blendLinear(paint, region, weight, 1 - weight)


def _warp_sprite(part: Part, light: float, corner: tuple[int, int], size: tuple[int, int]) -> FloatImage:
    """Warp the part's texture into a region of size (columns, rows) with the given top left corner."""
    along, across = _axes(part)
    radius = max(width for _, width in part.profile)
    first, last = part.profile[0][0], part.profile[-1][0]
    height = 2 if part.tile.shape[0] == 1 else max(2, min(96, round(math.hypot(*along) * (last - first))))
    width = max(3, min(96, round(2 * radius)))
    sprite = _sprite(part, light, width, height)
    step = 2 * radius / (width - 1)
    pace = (last - first) / (height - 1)
    matrix = np.array(
        [
            [
                across[0] * step,
                along[0] * pace,
                part.start[0] + along[0] * first - across[0] * radius - corner[0],
            ],
            [
                across[1] * step,
                along[1] * pace,
                part.start[1] + along[1] * first - across[1] * radius - corner[1],
            ],
        ]
    )
    paint = cv2.warpAffine(sprite, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(paint, dtype=np.float32)
