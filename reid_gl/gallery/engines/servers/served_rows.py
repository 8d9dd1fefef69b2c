"""Rows as servers keep them: a feature, and the other fields by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reid_gl.gallery.engines.vector_bytes import vector_values
from reid_gl.gallery.interface.engine import GalleryStats
from reid_gl.gallery.interface.sightings import UNKNOWN, Floats, Sighting, StoredRow


def to_payload(number: int, vector: Floats, sighting: Sighting, added: float) -> dict[str, Any]:
    """Return what is stored with the feature (D,) of a row; unknown times and boxes are left out."""
    payload = {
        "camera": sighting.camera,
        "tracklet": sighting.tracklet,
        "pid": sighting.pid,
        "path": sighting.path,
        "frame": sighting.frame,
        "added": added,
        "moment": added if sighting.time is None else sighting.time,
        "crc": vector_values(number, vector)[2],
    }
    if sighting.time is not None:
        payload["time"] = sighting.time
    if sighting.box is not None:
        payload["box"] = list(sighting.box)
    return payload


def to_row(point: Any) -> StoredRow:  # noqa: ANN401
    """Convert a point with payload and vector to a row.

    Raises:
        ValueError: something is missing.
    """
    known, vector = point.payload or {}, point.vector
    try:
        sighting = Sighting(
            known["camera"],
            known.get("time"),
            known["tracklet"],
            known["pid"],
            known["path"],
            known["frame"],
            tuple(known["box"]) if known.get("box") else None,
        )
        return StoredRow(point.id, sighting, known["added"], np.array(vector, "<f4").tobytes())
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"point {point.id} is not a row of a gallery ({type(error).__name__}: {error})"
        ) from None


def fault_of(point: Any, dimension: int | None) -> str:  # noqa: ANN401
    """Return why a point cannot be used, usually ""; features have a checksum, metadata do not."""
    try:
        row = to_row(point)
    except ValueError as error:
        return str(error)
    vector = np.frombuffer(row.vector, np.float32)
    if len(vector) != dimension:
        return f"the feature has {len(vector)} numbers, expected {dimension}"
    if vector_values(row.id, vector)[2] != point.payload.get("crc"):
        return "the feature does not match its checksum"
    return ""


def stats_of(
    payloads: Iterable[Mapping[str, Any]], dimension: int | None, keep_seconds: float | None
) -> GalleryStats:
    """Return statistics, from the metadata of all rows."""
    cameras: dict[int, int] = {}
    pids, tracklets, times = set(), set(), []
    for known in payloads:
        cameras[known["camera"]] = cameras.get(known["camera"], 0) + 1
        pids.add(known["pid"])
        if known["tracklet"] != UNKNOWN:
            tracklets.add((known["camera"], known["tracklet"]))
        times += [] if known.get("time") is None else [known["time"]]
    return GalleryStats(
        num_rows=sum(cameras.values()),
        dimension=dimension,
        num_identities=len(pids - {UNKNOWN}),
        num_tracklets=len(tracklets),
        cameras=dict(sorted(cameras.items())),
        first_time=min(times, default=None),
        last_time=max(times, default=None),
        num_bytes=None,
        keep_seconds=keep_seconds,
    )
