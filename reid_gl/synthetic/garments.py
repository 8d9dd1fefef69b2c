"""Clothes: garments, and their cloth as textures wrapped around the body."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from reid_gl.synthetic.palette import CLOTH, FloatImage, as_float

TILE_HEIGHT = 176
TILE_WIDTH = 192
TILE_PER_STATURE = 320.0
"""Texture pixels per stature of length."""
TILE_PER_RADIAN = TILE_WIDTH / (2 * math.pi)
"""Texture columns per radian around the torso; column TILE_WIDTH / 2 is the front."""

SIDE_SEAMS = (TILE_WIDTH // 2 - 28, TILE_WIDTH // 2 + 28)
"""Texture columns of the right and left side of a leg."""


@dataclass(frozen=True)
class Garment:
    """One piece of clothing of the shared wardrobe.

    Attributes:
        cut: kind of garment, such as "tshirt" or "skirt".
        colour: main colour, a name in palette.CLOTH.
        second: colour of the pattern, a name in palette.CLOTH.
        texture: kind of pattern.
        period: texture pixels from one stripe, check or blob to the next.
        variant: selects the shape of the logo or the arrangement of the print.
        dye: gains of blue, green and red of all colours of the garment.
    """

    cut: str
    colour: str
    second: str
    texture: str
    period: int
    variant: int
    dye: tuple[float, float, float] = (1.0, 1.0, 1.0)


def _bands(length: int, period: int, share: float) -> FloatImage:
    """Mask of stripes along one axis: 1 inside a stripe, 0 between stripes, with soft borders."""
    position = (np.arange(length, dtype=np.float32) % period) / period
    return np.clip((share / 2 - np.abs(position - 0.5)) * period / 2 + 0.5, 0, 1).astype(np.float32)


def _whole(period: int) -> int:
    """The nearest period that divides the width of the tile, so that no seam is visible."""
    return TILE_WIDTH // max(1, round(TILE_WIDTH / period))


def _print_mask(period: int, variant: int) -> FloatImage:
    """Mask of blobs scattered over the cloth."""
    rng = np.random.default_rng((7, period, variant))
    mask = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.uint8)
    for row in range(period // 2, TILE_HEIGHT, period):
        for column in range(period // 2, TILE_WIDTH - period // 3, period):
            shift = rng.integers(-period // 5, period // 5 + 1, size=2)
            centre = (
                int(column + shift[0] + (row // period % 2) * period // 2) % TILE_WIDTH,
                int(row + shift[1]),
            )
            axes = (int(period * rng.uniform(0.24, 0.36)), int(period * rng.uniform(0.24, 0.36)))
            cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    return np.asarray(mask / 255, dtype=np.float32)


def _logo_mask(variant: int) -> FloatImage:
    """Mask of an emblem on the chest: disc, bar, triangle or ring."""
    mask = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.uint8)
    x, y, size = TILE_WIDTH // 2, 36, 17
    if variant == 0:
        cv2.circle(mask, (x, y), size, 255, -1, cv2.LINE_AA)
    elif variant == 1:
        cv2.rectangle(mask, (x - size - 6, y - 9), (x + size + 6, y + 9), 255, -1)
    elif variant == 2:
        corners = np.array([(x - size - 3, y + size), (x + size + 3, y + size), (x, y - size)], np.int32)
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA)
    else:
        cv2.circle(mask, (x, y), size, 255, 8, cv2.LINE_AA)
    return np.asarray(mask / 255, dtype=np.float32)


def _pattern(garment: Garment, part: str) -> FloatImage:
    """Share of the second colour, (TILE_HEIGHT, TILE_WIDTH) in [0, 1]."""
    across = _bands(TILE_HEIGHT, garment.period, 0.45)[:, None]
    down = _bands(TILE_WIDTH, _whole(garment.period), 0.45)[None, :]
    mask = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.float32)
    if garment.texture == "stripes_across":
        mask += across
    elif garment.texture == "stripes_down":
        mask += down
    elif garment.texture == "checks":
        mask += (across + down) / 2
    elif garment.texture == "print":
        mask += _print_mask(garment.period, garment.variant)
    elif garment.texture == "logo" and part == "torso":
        mask += _logo_mask(garment.variant)
    elif garment.texture == "band":
        mask[26:58] = 1
    elif garment.texture == "side_stripe":
        for seam in SIDE_SEAMS:
            mask[:, seam - 5 : seam + 5] = 1
    return mask


def _folds(garment: Garment) -> FloatImage:
    """Gain (TILE_HEIGHT, TILE_WIDTH, 1) around 1, with soft light and dark creases."""
    rng = np.random.default_rng((11, garment.variant, garment.period))
    coarse = rng.normal(0, 1, (9, 12)).astype(np.float32)
    creases = cv2.resize(coarse, (TILE_WIDTH, TILE_HEIGHT), interpolation=cv2.INTER_CUBIC)
    folds: FloatImage = (1 + 0.07 * creases)[..., None].astype(np.float32)
    return folds


@lru_cache(maxsize=512)
def cloth_tile(garment: Garment, part: str) -> FloatImage:
    """Draw the texture of a garment, laid flat.

    Args:
        garment: what to draw.
        part: "torso" (with logo and opening) or "limb".

    Returns:
        (TILE_HEIGHT, TILE_WIDTH, 3) float32 BGR in [0, 255]; the width goes once around the body.
    """
    mask = _pattern(garment, part)[..., None]
    tile = as_float(CLOTH[garment.colour]) * (1 - mask) + as_float(CLOTH[garment.second]) * mask
    if part == "torso" and garment.cut in ("jacket", "coat"):
        half_width = 15 if garment.cut == "jacket" else 4
        inner = "white" if garment.colour != "white" else "black"
        tile[:, TILE_WIDTH // 2 - half_width : TILE_WIDTH // 2 + half_width] = as_float(CLOTH[inner])
    if part == "torso":
        tile[:4] *= 0.8
    dyed = tile * np.asarray(garment.dye, dtype=np.float32)
    cloth: FloatImage = np.clip(dyed * _folds(garment), 0, 255).astype(np.float32)
    return cloth
