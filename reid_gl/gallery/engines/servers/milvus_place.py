"""A collection of Milvus: its schema, indexes and filters; the client is imported only here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from reid_gl.gallery.interface.condition import Condition

INTEGERS = ("camera", "tracklet", "pid", "frame", "crc")
INDEXED = ("camera", "tracklet", "pid", "time", "moment")
"""Fields that filters use."""
FEATURELESS = ("id", *INTEGERS, "time", "moment", "added", "path")
"""Fields to read where the feature and the box are not needed."""
LONGEST_PATH = 65_535
EXACT = "FLAT"
CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class MilvusPlace:
    """The collection that stores the rows, and the settings of a new one.

    Attributes:
        url: address of the server.
        collection: name of the collection: letters, digits and underscores.
        shards: number of parts of a new collection; None for the server's default.
        index: Milvus' name of the index of a new collection; FLAT compares every row.
        build: parameters of the index, such as M and efConstruction of HNSW.
        search: parameters of a search, such as ef of HNSW.
    """

    url: str
    collection: str
    shards: int | None = None
    index: str = EXACT
    build: Mapping[str, int] = field(default_factory=dict)
    search: Mapping[str, int] = field(default_factory=dict)


def import_pymilvus() -> Any:  # noqa: ANN401 - it may not be installed
    """Import the module pymilvus.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return importlib.import_module("pymilvus")
    except ImportError as error:
        raise ImportError(f"Milvus needs its client ({error}): pip install 'reid_gl[milvus]'") from None


def make_schema(dimension: int) -> Any:  # noqa: ANN401
    """Return the fields of a collection of features of this dimension."""
    module = import_pymilvus()
    types, schema = module.DataType, module.MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", types.INT64, is_primary=True)
    schema.add_field("vector", types.FLOAT_VECTOR, dim=dimension)
    for name in INTEGERS:
        schema.add_field(name, types.INT64)
    for name in ("added", "moment"):
        schema.add_field(name, types.DOUBLE)
    schema.add_field("time", types.DOUBLE, nullable=True)
    schema.add_field("box", types.JSON, nullable=True)
    schema.add_field("path", types.VARCHAR, max_length=LONGEST_PATH)
    return schema


def make_indexes(place: MilvusPlace) -> Any:  # noqa: ANN401
    """Return the indexes of a new collection."""
    indexes = import_pymilvus().MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type=place.index, metric_type="IP", params=dict(place.build))
    for name in INDEXED:
        indexes.add_index(name, index_type="INVERTED")
    return indexes


def make_settings() -> dict[str, Any]:
    """Return the arguments that create the collection of a gallery's settings, with one row."""
    module = import_pymilvus()
    schema = module.MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", module.DataType.INT64, is_primary=True)
    schema.add_field("vector", module.DataType.FLOAT_VECTOR, dim=2)  # every collection needs one
    schema.add_field("keep_seconds", module.DataType.DOUBLE)
    indexes = module.MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type="FLAT", metric_type="IP")
    return {"schema": schema, "index_params": indexes, "consistency_level": "Strong"}


def to_expression(condition: Condition) -> str | None:
    """Convert a condition to an expression; None if no row can satisfy it."""
    parts = ["id >= 0"]
    for name, values in condition.only.items():
        if not values:
            return None
        parts.append(_one_of(name, values))
    for rule in condition.without:
        if all(rule.values()):  # a rule without values excludes nothing
            parts.append(f"not ({' and '.join(_one_of(name, values) for name, values in rule.items())})")
    for limit, comparison in (
        (condition.first_time, "time >="),
        (condition.last_time, "time <="),
        (condition.since, "moment >="),
        (condition.before, "moment <"),
    ):
        if limit is not None:
            parts.append(f"{comparison} {limit!r}")
    return " and ".join(parts)


def _one_of(name: str, values: frozenset[int]) -> str:
    return f"{name} in [{', '.join(map(str, sorted(values)))}]"


def as_point(entity: dict[str, Any]) -> SimpleNamespace:
    """Return what the client read of one row, with the attributes that served_rows expects."""
    return SimpleNamespace(id=entity.get("id"), payload=entity, vector=entity.get("vector"))


def connect_milvus(place: MilvusPlace, token: str) -> Any:  # noqa: ANN401
    """Make a client of a server.

    Raises:
        ConnectionError: it cannot be reached.
    """
    module = import_pymilvus()
    try:
        return module.MilvusClient(place.url, token=token, timeout=CONNECT_SECONDS)
    except module.MilvusException as error:
        raise ConnectionError(
            f"gallery {place.url}/{place.collection} cannot be reached within {CONNECT_SECONDS:.0f} seconds "
            f"({error}): is the server running there?"
        ) from None
