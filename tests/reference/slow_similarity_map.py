"""Grad-CAM of a similarity, one number of the map at a time, with differences in place of derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
STEP = 1e-6


def slow_pooling(maps: Numbers, name: str, *, mixing: float = 0.5, exponent: float = 3.0) -> Numbers:
    """Pool a map (D, H, W) to (D,)."""
    pooled = []
    for channel in maps:
        numbers = channel.ravel().tolist()
        mean = math.fsum(numbers) / len(numbers)
        if name == "gem":
            powers = [max(number, 1e-6) ** exponent for number in numbers]
            pooled.append((math.fsum(powers) / len(numbers)) ** (1 / exponent))
        else:
            share = {"average": 0.0, "max": 1.0, "mixed": mixing}[name]
            pooled.append(share * max(numbers) + (1 - share) * mean)
    return np.array(pooled)


def slow_similarity_map(
    maps: Numbers, other: Numbers, feature_of: Callable[[Numbers], Numbers]
) -> list[list[float]]:
    """Show where in an image with the last feature map (D, H, W) its similarity to another comes from.

    Args:
        maps: (D, H, W).
        other: (D',) feature of the other image.
        feature_of: maps (D, H, W) to (D',).

    Source:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        ICCV 2017, equations 1 and 2.
    """
    num_channels, height, width = maps.shape
    weights = []
    for channel in range(num_channels):
        total = 0.0
        for row in range(height):
            for column in range(width):
                more, less = maps.copy(), maps.copy()
                more[channel, row, column] += STEP
                less[channel, row, column] -= STEP
                total += (_cosine(feature_of(more), other) - _cosine(feature_of(less), other)) / (2 * STEP)
        weights.append(total / (height * width))
    return [
        [
            max(0.0, math.fsum(weights[k] * float(maps[k, row, column]) for k in range(num_channels)))
            for column in range(width)
        ]
        for row in range(height)
    ]


def _cosine(first: Sequence[float] | Numbers, second: Sequence[float] | Numbers) -> float:
    lengths = [math.sqrt(math.fsum(value * value for value in side)) for side in (first, second)]
    return math.fsum(a * b for a, b in zip(first, second, strict=True)) / (lengths[0] * lengths[1])
