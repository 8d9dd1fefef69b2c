"""Records of a gallery: sightings, rows, and the matches of a search."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_rows

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
UNKNOWN = -1
"""An unknown camera, tracklet or identity."""
LARGEST_NUMBER = 2**63 - 1
LARGEST_TIME = 1e11
"""Seconds from 1970 to the year 5138; larger times must be milliseconds, which would never expire."""


@dataclass(frozen=True)
class Sighting:
    """Where and when the person of one feature was seen.

    Attributes:
        camera: number of the camera, from 0; -1 if unknown.
        time: seconds since 1970 (UTC), as from `datetime.timestamp`; None if unknown.
        tracklet: number of the track within the camera; -1 if unknown.
        pid: identity; -1 if unknown.
        path: image or video file; "" if there is none.
        frame: frame of a video, from 1; -1 for an image.
        box: (x1, y1, x2, y2) pixels of the person in the image; None for the whole image.
    """

    camera: int = UNKNOWN
    time: float | None = None
    tracklet: int = UNKNOWN
    pid: int = UNKNOWN
    path: str = ""
    frame: int = UNKNOWN
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Match:
    """One row of an answer.

    Attributes:
        id: number of the row in the gallery.
        score: cosine of the row and the query, in [-1, 1].
        probability: probability that both show the same person; None without a calibration.
        reranked: distance after re-ranking, which decides the order; None without re-ranking.
        sighting: camera, time, tracklet, identity, path, frame and box.
    """

    id: int
    score: float
    probability: float | None
    reranked: float | None
    sighting: Sighting


class StoredRow(NamedTuple):
    """A row as stored by engines.

    Attributes:
        id: number of the row, from 1, never reused.
        sighting: its metadata.
        added: seconds since 1970 when it was added.
        vector: D float32 numbers of a feature of length one, as bytes.
    """

    id: int
    sighting: Sighting
    added: float
    vector: bytes


def vectors_of(rows: Sequence[StoredRow]) -> Floats:
    """Return features (M, D) of M rows, at least one."""
    return np.frombuffer(b"".join(row.vector for row in rows), np.float32).reshape(len(rows), -1)


def unit_features(name: str, features: Floats, dimension: int | None) -> Floats:
    """Check features and scale each row to length one.

    Args:
        name: what the features are, for messages.
        features: (M, D), M at least 1.
        dimension: expected D; None for any.

    Returns:
        (M, D) float32, C-contiguous, a copy.

    Raises:
        TypeError: features are not an array.
        ValueError: the shape is wrong, numbers are not finite, or a row has length zero.
    """
    check_rows(name, features)
    if dimension is not None and features.shape[1] != dimension:
        raise ValueError(
            f"{name} have {features.shape[1]} numbers each, this gallery holds features of {dimension}: use "
            "the network that filled it, or another gallery"
        )
    wide = features.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not lengths.all():
        empty = np.flatnonzero(lengths == 0)
        raise ValueError(
            f"{name} are all zeros in {len(empty)} of {len(features)} rows: "
            f"{', '.join(map(str, empty[:5]))}{', ...' if len(empty) > 5 else ''}. FeatureExtractor returns "
            "zeros for boxes outside the image: leave out rows where `valid` is False"
        )
    return np.ascontiguousarray(wide / lengths, dtype=np.float32)


def query_features(query: Floats, dimension: int | None) -> Floats:
    """Check queries (Q, D) or (D,) as in unit_features; Q may be 0."""
    if isinstance(query, np.ndarray) and query.ndim == 1:
        query = query[None]
    if isinstance(query, np.ndarray) and not len(query):
        return np.zeros((0, dimension or 1), np.float32)
    return unit_features("query features", query, dimension)


def check_sightings(sightings: Sequence[Sighting], count: int) -> list[Sighting]:
    """Check the metadata of a batch of rows, and convert NumPy's numbers to Python's.

    Args:
        sightings: one for each feature.
        count: number of features.

    Returns:
        The checked sightings.

    Raises:
        TypeError, ValueError: the number differs, or a field is invalid; the message names the row.
    """
    if len(sightings) != count:
        raise ValueError(
            f"{count} features came with metadata of {len(sightings)} rows: expected the same number"
        )
    return [_plain(sighting, f"metadata of row {place}") for place, sighting in enumerate(sightings)]


def checked_parts(
    parts: Iterable[tuple[Floats, Sequence[Sighting]]], dimension: int | None
) -> Iterator[tuple[Floats, list[Sighting]]]:
    """Check batches one by one, see unit_features and check_sightings; empty ones are skipped."""
    for features, metadata in parts:
        if isinstance(features, np.ndarray) and features.ndim == 2 and not len(features):
            check_sightings(metadata, 0)
            continue
        vectors = unit_features("features", features, dimension)
        dimension = vectors.shape[1]
        yield vectors, check_sightings(metadata, len(vectors))


def _plain(sighting: Sighting, name: str) -> Sighting:
    if not isinstance(sighting, Sighting):
        raise TypeError(f"{name} is a {type(sighting).__name__}: expected a Sighting")
    time = None if sighting.time is None else _finite(sighting.time, f"{name}: time")
    if time is not None and abs(time) > LARGEST_TIME:
        raise ValueError(f"{name}: time must be seconds since 1970, got {time:g}: are these milliseconds?")
    path = str(sighting.path)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: the path {path!r} is not valid Unicode: rename the file") from None
    return Sighting(
        _whole(sighting.camera, f"{name}: camera"),
        time,
        _whole(sighting.tracklet, f"{name}: tracklet"),
        _whole(sighting.pid, f"{name}: pid"),
        path,
        _whole(sighting.frame, f"{name}: frame"),
        None if sighting.box is None else _corners(sighting.box, f"{name}: box"),
    )


def _whole(value: int, name: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = UNKNOWN - 1
    if not UNKNOWN <= number <= LARGEST_NUMBER:
        raise ValueError(f"{name} must be a whole number from 0, or -1 if unknown, got {value!r}")
    return number


def _finite(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


def _corners(box: Sequence[float], name: str) -> tuple[float, float, float, float]:
    if len(box) != 4:
        raise ValueError(f"{name} must be x1, y1, x2, y2, got {box!r}")
    x1, y1, x2, y2 = (_finite(value, name) for value in box)
    if x1 > x2 or y1 > y2:
        raise ValueError(f"{name} must be x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, got {box!r}")
    return x1, y1, x2, y2
