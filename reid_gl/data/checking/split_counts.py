"""Counts of one split of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.records import Sample


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of some numbers."""

    min: float
    median: float
    max: float


@dataclass(frozen=True)
class SplitReport:
    """Counts of a split.

    Attributes:
        images: number of samples.
        identities: number of different identities, without distractors and junk.
        cameras: number of different known cameras.
        without_identity: number of samples of identity 0 or -1: distractors and junk.
        without_camera: number of samples with an unknown camera.
        images_per_identity: spread of the images per identity; None if there is no identity.
        histogram: number of identities by number of images, in ranges "1", "2-3", "4-7" and so on.
        single_image_identities: number of identities with one image.
        width: spread of the widths in pixels, of readable images, inside their boxes; None if there are none.
        height: spread of the heights in pixels, as width.
        aspect: spread of height / width.
    """

    images: int
    identities: int
    cameras: int
    without_identity: int
    without_camera: int
    images_per_identity: Spread | None
    histogram: dict[str, int]
    single_image_identities: int
    width: Spread | None
    height: Spread | None
    aspect: Spread | None


def describe_split(samples: Sequence[Sample], sizes: NDArray[np.int64]) -> SplitReport:
    """Count the samples of a split.

    Args:
        samples: M samples.
        sizes: (M, 2) width and height in pixels; 0 for images that cannot be read.

    Returns:
        The counts.
    """
    images_of = Counter(sample.pid for sample in samples if sample.pid > 0)
    counts = np.array(list(images_of.values()), dtype=np.int64)
    width, height = sizes[sizes.all(axis=1)].T  # (seen,) each
    return SplitReport(
        images=len(samples),
        identities=len(images_of),
        cameras=len({sample.camid for sample in samples if sample.camid >= 0}),
        without_identity=sum(sample.pid <= 0 for sample in samples),
        without_camera=sum(sample.camid < 0 for sample in samples),
        images_per_identity=_spread(counts),
        histogram=_histogram(counts),
        single_image_identities=int((counts == 1).sum()),
        width=_spread(width),
        height=_spread(height),
        aspect=_spread(height / width),
    )


def _spread(values: NDArray[np.int64] | NDArray[np.float64]) -> Spread | None:
    if len(values) == 0:
        return None
    return Spread(float(values.min()), float(np.median(values)), float(values.max()))


def _histogram(counts: NDArray[np.int64]) -> dict[str, int]:
    """Count the numbers in each range between powers of two, from the lowest range to the highest."""
    powers = Counter(count.bit_length() - 1 for count in counts.tolist())
    return {
        "1" if power == 0 else f"{2**power}-{2 ** (power + 1) - 1}": powers[power]
        for power in range(max(powers, default=-1) + 1)
    }
