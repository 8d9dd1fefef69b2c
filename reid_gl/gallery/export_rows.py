"""Export rows of a gallery as an .npz file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from reid_gl.files import whole_or_nothing
from reid_gl.gallery.interface.sightings import StoredRow, vectors_of

NO_BOX = (np.nan,) * 4


def write_rows(path: Path, batches: Iterable[list[StoredRow]]) -> int:
    """Write the arrays that Gallery.export lists, and return the number of rows.

    Raises:
        FileExistsError: the file exists.
        ValueError: the suffix is not .npz, or there are no rows.
    """
    if path.suffix != ".npz":
        raise ValueError(f"cannot export to {path}: expected a name that ends in .npz")
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists: delete it, or choose another name")
    rows = [row for batch in batches for row in batch]
    if not rows:
        raise ValueError("there are no such rows to export")
    sightings = [row.sighting for row in rows]
    with whole_or_nothing(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            rows=np.array([row.id for row in rows], np.int64),
            features=vectors_of(rows),
            camids=np.array([sighting.camera for sighting in sightings], np.int64),
            times=np.array([sighting.time for sighting in sightings], np.float64),
            tracklets=np.array([sighting.tracklet for sighting in sightings], np.int64),
            pids=np.array([sighting.pid for sighting in sightings], np.int64),
            paths=np.array([sighting.path for sighting in sightings], np.str_),
            frames=np.array([sighting.frame for sighting in sightings], np.int64),
            boxes=np.array([sighting.box or NO_BOX for sighting in sightings], np.float64),
        )
    return len(rows)
