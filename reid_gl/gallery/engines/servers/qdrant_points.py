"""Convert conditions to Qdrant's types; its client is imported only by the first function here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.sightings import LARGEST_NUMBER

INDEXED = {"camera": "integer", "tracklet": "integer", "pid": "integer", "time": "float", "moment": "float"}
"""Fields that filters use; the server builds their indexes before rows are added."""


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
        return models.HasIdCondition(has_id=sorted(v for v in values if 0 <= v <= LARGEST_NUMBER))
    return models.FieldCondition(key=name, match=models.MatchAny(any=sorted(values)))
