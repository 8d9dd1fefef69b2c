"""Conversion of pixels with more than 8 bits to 8 bits, shared by all image readers."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

BIT_DEPTHS = (8, 12, 16)
"""Bit depths that 16-bit files really use: some cameras store 12 bits in them, and some programs 8."""


def to_8_bits(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Keep the highest 8 bits of an image's bit depth, the smallest of BIT_DEPTHS that holds all its values.

    An image with values up to 4,095 only would be almost black if it were read as 16 bits, so it is read as
    12 bits. An image with values up to 255 only is read as 8 bits.

    Args:
        pixels: array of any shape.

    Returns:
        An array of the same shape.
    """
    brightest = int(pixels.max(initial=0))
    bits = next(depth for depth in BIT_DEPTHS if brightest < 1 << depth)
    if bits < 16 and brightest:
        _say_once(bits)
    return (pixels >> (bits - 8)).astype(np.uint8)


@cache
def _say_once(bits: int) -> None:
    logger.warning(
        "a 16-bit image has no value above %s: it is read as %s-bit, and so is every other such image",
        f"{(1 << bits) - 1:,}",
        bits,
    )
