"""Near-duplicates from their definition: every pair, one bit and one grey value at a time."""

from __future__ import annotations

from math import sqrt

from reid_gl.data.checking.near_duplicates import MAX_BITS, MAX_DIFFERENCE, MIN_CONTRAST, Sketches


def slow_near_duplicates(left: Sketches, right: Sketches) -> list[tuple[int, int, float]]:
    """(row, column, difference) of the image most like each."""
    found = []
    for row in range(len(left.codes)):
        best: tuple[float, int] | None = None
        for column in range(len(right.codes)):
            if slow_different_bits(left, row, right, column) > MAX_BITS:
                continue
            difference = slow_difference(values(left, row), values(right, column))
            if difference is None or difference > MAX_DIFFERENCE:
                continue
            if best is None or (difference, column) < best:
                best = (difference, column)
        if best is not None:
            found.append((row, best[1], best[0]))
    return found


def slow_different_bits(left: Sketches, row: int, right: Sketches, column: int) -> int:
    pairs = zip(left.codes[row].tolist(), right.codes[column].tolist(), strict=True)
    return sum(bin(one ^ other).count("1") for one, other in pairs)


def slow_difference(left: list[int], right: list[int]) -> float | None:
    """One minus the correlation; None without contrast."""
    means = sum(left) / len(left), sum(right) / len(right)
    deviations = [
        sqrt(sum((value - mean) ** 2 for value in side) / len(side))
        for side, mean in zip((left, right), means, strict=True)
    ]
    if min(deviations) < MIN_CONTRAST:
        return None
    products = [(one - means[0]) * (other - means[1]) for one, other in zip(left, right, strict=True)]
    return 1 - sum(products) / len(left) / (deviations[0] * deviations[1])


def values(sketches: Sketches, row: int) -> list[int]:
    return [int(value) for value in sketches.thumbnails[row].reshape(-1)]
