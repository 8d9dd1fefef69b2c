"""Test-time features, one number of the map at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

Map = Sequence[Sequence[Sequence[float]]]


def slow_feature(residual_sum: Map, *, mixing: float, slope: float) -> list[float]:
    """Leaky ReLU of every number of a map (D, H, W), then mixing * max + (1 - mixing) * average."""
    feature = []
    for channel in residual_sum:
        numbers = [value if value > 0 else slope * value for row in channel for value in row]
        feature.append(mixing * max(numbers) + (1 - mixing) * math.fsum(numbers) / len(numbers))
    return feature


def slow_beta_normalize(feature: Sequence[float], beta: float) -> list[float]:
    length = math.sqrt(math.fsum(value * value for value in feature))
    return [(value / length if length else 0.0) + beta * value for value in feature]


def slow_mean(features: Sequence[Sequence[float]]) -> list[float]:
    return [math.fsum(numbers) / len(features) for numbers in zip(*features, strict=True)]
