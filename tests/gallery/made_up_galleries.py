"""Small galleries of made-up people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_gl.gallery import Gallery, Sighting

WIDTH = 16
MORNING = 1_700_000_000.0
Floats = NDArray[np.float32]


def features(count: int, *, seed: int = 0, width: int = WIDTH) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def sightings(count: int, *, seed: int = 0) -> list[Sighting]:
    """Rows that differ in everything; every third has no time, every fourth no box."""
    rng = np.random.default_rng(seed)
    return [
        Sighting(
            camera=int(rng.integers(-1, 4)),
            time=None if row % 3 == 2 else MORNING + 60.0 * row,
            tracklet=int(rng.integers(-1, 6)),
            pid=int(rng.integers(-1, 5)),
            path=f"people/bäcker {row}.jpg",
            frame=row - 1,
            box=None if row % 4 == 3 else (1.0, 2.5, 30.0 + row, 60.0),
        )
        for row in range(count)
    ]


def filled(path: Path, count: int = 40) -> tuple[Floats, list[Sighting]]:
    """Write a gallery and return what is in it."""
    vectors, metadata = features(count), sightings(count)
    with Gallery(path) as gallery:
        gallery.add(vectors, metadata)
    return vectors, metadata
