"""Convert rows and conditions to Qdrant's types; its client is imported only by the first function here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from reid_gl.gallery.condition import Condition
from reid_gl.gallery.sightings import Floats, Sighting, StoredRow
from reid_gl.gallery.stored_rows import vector_values

INDEXED = {"camera": "integer", "tracklet": "integer", "pid": "integer", "time": "float", "moment": "float"}
"""Fields that filters use; the server builds their indexes before rows are added."""
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class QdrantPlace:
    """The collection that stores the rows, and its settings.

    Attributes:
        url: address of the server.
        collection: name of the collection.
        shards: number of parts of a new collection; None for the server's default.
        replicas: number of copies of each part of a new collection; None for the server's default.
        exact: compare every row; False searches the server's HNSW graph, which misses some.
    """

    url: str
    collection: str
    shards: int | None = None
    replicas: int | None = None
    exact: bool = True


def import_client() -> Any:  # noqa: ANN401 - it may not be installed
    """Import the module qdrant_client.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return importlib.import_module("qdrant_client")
    except ImportError as error:
        raise ImportError(f"Qdrant needs its client ({error}): pip install 'reid_gl[gallery]'") from None


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


def to_filter(condition: Condition) -> Any | None:  # noqa: ANN401
    """Convert a condition to a filter; None if no row can satisfy it."""
    models = importlib.import_module("qdrant_client.models")
    must = []
    for name, values in condition.only.items():
        if not values:
            return None
        must.append(_one_of(models, name, values))
    for key, limits in {
        "time": {"gte": condition.first_time, "lte": condition.last_time},
        "moment": {"gte": condition.since, "lt": condition.before},
    }.items():
        if any(limit is not None for limit in limits.values()):
            must.append(models.FieldCondition(key=key, range=models.Range(**limits)))
    must_not = [
        models.Filter(must=[_one_of(models, name, values) for name, values in rule.items()])
        for rule in condition.without
        if all(rule.values())  # a rule without values excludes nothing
    ]
    return models.Filter(must=must, must_not=must_not)


def _one_of(models: Any, name: str, values: frozenset[int]) -> Any:  # noqa: ANN401
    if name == "id":
        return models.HasIdCondition(has_id=sorted(v for v in values if 0 <= v <= LARGEST_ID))
    return models.FieldCondition(key=name, match=models.MatchAny(any=sorted(values)))
