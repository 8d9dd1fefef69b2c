"""Pixels of more than 8 bits, made 8 bits in the same way on every route."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

BIT_DEPTHS = (8, 12, 16)
"""Of what files of 16 bits hold: cameras store 12 bits in them, and some programs 8."""


def to_8_bits(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The highest 8 bits of the bit depth that an image uses: the smallest of BIT_DEPTHS that holds it.

    An image without a value above 4,095 of 65,535 would be black as 16 bits, so it is taken as 12 bits, and
    one without a value above 255 as 8 bits.

    Args:
        pixels: of any shape.

    Returns:
        The same shape.
    """
    brightest = int(pixels.max(initial=0))
    bits = next(depth for depth in BIT_DEPTHS if brightest < 1 << depth)
    if bits < 16 and brightest:
        _say_once(bits)
    return (pixels >> (bits - 8)).astype(np.uint8)


@cache
def _say_once(bits: int) -> None:
    logger.warning(
        "an image of 16 bits has no value above %s: it is taken as %s bits, and so is every such image",
        f"{(1 << bits) - 1:,}",
        bits,
    )
