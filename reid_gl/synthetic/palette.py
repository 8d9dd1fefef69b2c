"""Colours of clothes, skin and hair, as sRGB bytes in OpenCV's order: blue, green, red."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Colour: TypeAlias = tuple[int, int, int]
FloatImage: TypeAlias = NDArray[np.float32]
ByteImage: TypeAlias = NDArray[np.uint8]

CLOTH: dict[str, Colour] = {
    "black": (38, 34, 34),
    "white": (222, 224, 226),
    "grey": (128, 126, 124),
    "navy": (92, 50, 36),
    "blue": (178, 112, 62),
    "red": (52, 46, 168),
    "green": (74, 112, 66),
    "beige": (150, 186, 206),
    "brown": (52, 74, 104),
}
SKIN: dict[str, Colour] = {
    "pale": (176, 198, 232),
    "tan": (132, 166, 212),
    "olive": (96, 130, 178),
    "dark": (54, 74, 108),
}
HAIR: dict[str, Colour] = {
    "black": (30, 26, 26),
    "brown": (38, 58, 86),
    "blond": (104, 158, 196),
    "grey": (148, 150, 152),
    "ginger": (40, 82, 148),
}
UPPER_COLOURS = ("black", "white", "grey", "navy", "blue", "red", "green", "beige")
LOWER_COLOURS = ("black", "grey", "navy", "blue", "beige", "brown")
SHOE_COLOURS = ("black", "white", "brown", "red")
BAG_COLOURS = ("black", "red", "blue", "beige")


def as_float(colour: Colour) -> FloatImage:
    """The colour as a (3,) float32 vector in [0, 255]."""
    return np.asarray(colour, dtype=np.float32)
