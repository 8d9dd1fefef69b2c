"""The engine for a cluster: Milvus, through its official client."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from reid_gl.gallery.condition import Condition
from reid_gl.gallery.engine import Found, GalleryStats, Verification
from reid_gl.gallery.milvus_place import (
    MilvusPlace,
    as_point,
    import_pymilvus,
    make_indexes,
    make_schema,
    to_expression,
)
from reid_gl.gallery.served_rows import fault_of, stats_of, to_payload, to_row
from reid_gl.gallery.sightings import Floats, Ints, Sighting, StoredRow

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 1_000
LARGEST_ID = 2**63 - 1
CALL_SECONDS = 60.0
"""How long the client repeats a call to a server that does not answer."""
SETTINGS_SUFFIX = "_settings"
KEEP_FOREVER = -1.0
T = TypeVar("T")


class MilvusEngine:
    """See Engine. Row numbers are random, so that several programs can add at once.

    If a call of `add` fails, it removes the rows that it has stored; if it is killed, some of its rows stay.

    Args:
        client: a MilvusClient.
        place: the collection.
        mode: see MODES of sqlite_file.
    """

    def __init__(self, client: Any, place: MilvusPlace, mode: str) -> None:  # noqa: ANN401
        self._client, self._place, self._mode = client, place, mode
        self._width: int | None = None
        self._exists = bool(self._call(client.has_collection, place.collection))
        if self._exists:
            self._call(client.load_collection, place.collection)
        elif mode != "a":
            raise FileNotFoundError(f"gallery {self.name} does not exist: add features to create it")

    @property
    def name(self) -> str:
        """Return server and collection."""
        return f"{self._place.url}/{self._place.collection}"

    @property
    def dimension(self) -> int | None:
        """Return D of the features."""
        if self._width is None and self._exists:
            fields = self._call(self._client.describe_collection, self._place.collection)["fields"]
            self._width = next(int(one["params"]["dim"]) for one in fields if one["name"] == "vector")
        return self._width

    @property
    def keep_seconds(self) -> float | None:
        """Return the age at which rows are deleted."""
        settings = self._place.collection + SETTINGS_SUFFIX
        if not self._call(self._client.has_collection, settings):
            return None
        self._call(self._client.load_collection, settings)
        rows = self._call(self._client.query, settings, filter="id == 0", output_fields=["keep_seconds"])
        seconds = rows[0]["keep_seconds"] if rows else KEEP_FOREVER
        return None if seconds == KEEP_FOREVER else float(seconds)

    def add(self, parts: Iterable[tuple[Floats, Sequence[Sighting]]], added: float) -> Ints:
        """Store all parts; without transactions, see the class."""
        self._check_writable()
        first = number = secrets.randbelow(LARGEST_ID // 2) + 1
        try:
            for vectors, sightings in parts:
                if not self._exists:
                    self._create(vectors.shape[1])
                for start in range(0, len(vectors), ROWS_AT_ONCE):
                    rows = slice(start, start + ROWS_AT_ONCE)
                    self._insert(number, vectors[rows], sightings[rows], added)
                    number += len(vectors[rows])
        except BaseException:
            self._take_back(first, number + ROWS_AT_ONCE)
            raise
        return np.arange(first, number, dtype=np.int64)

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return the rows near each query, with one request for all."""
        chosen = to_expression(condition)
        if not self._exists or chosen is None or not len(queries):
            return Found([np.zeros(0, np.int64) for _ in queries], {})
        found = self._call(
            self._client.search,
            self._place.collection,
            data=queries.tolist(),
            limit=num_nearest,
            filter=chosen,
            output_fields=["*"],
            search_params={"metric_type": "IP", "params": dict(self._place.search)},
        )
        ids = [np.array([one["id"] for one in answer], np.int64) for answer in found]
        entities = (one["entity"] for answer in found for one in answer)
        return Found(ids, {row.id: row for row in self._rows(entities)})

    def read(self, condition: Condition) -> Iterator[list[StoredRow]]:
        """Yield the rows that satisfy a condition."""
        for entities in self._entities(condition):
            yield self._rows(entities)

    def delete(self, condition: Condition) -> int:
        """Delete rows."""
        return self._change(
            condition, lambda chosen: self._call(self._client.delete, self._place.collection, filter=chosen)
        )

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Change identities."""
        self._check_writable()
        count = 0
        for entities in list(self._entities(condition, fields=["id"])):
            changes = [{"id": entity["id"], "pid": pid} for entity in entities]
            self._call(self._client.upsert, self._place.collection, changes, partial_update=True)
            count += len(changes)
        return count

    def keep_for(self, seconds: float | None) -> None:
        """Store the age in a separate collection, `<collection>_settings`."""
        self._check_writable()
        settings, module = self._place.collection + SETTINGS_SUFFIX, import_pymilvus()
        if not self._call(self._client.has_collection, settings):
            schema = module.MilvusClient.create_schema(auto_id=False)
            schema.add_field("id", module.DataType.INT64, is_primary=True)
            schema.add_field("vector", module.DataType.FLOAT_VECTOR, dim=2)  # every collection needs one
            schema.add_field("keep_seconds", module.DataType.DOUBLE)
            indexes = module.MilvusClient.prepare_index_params()
            indexes.add_index("vector", index_type="FLAT", metric_type="IP")
            self._call(
                self._client.create_collection,
                settings,
                schema=schema,
                index_params=indexes,
                consistency_level="Strong",
            )
        row = {"id": 0, "vector": [0.0, 0.0], "keep_seconds": KEEP_FOREVER if seconds is None else seconds}
        self._call(self._client.upsert, settings, [row])

    def stats(self) -> GalleryStats:
        """Return statistics, from the metadata of all rows."""
        fields = ["camera", "pid", "tracklet", "time"]
        batches = self._entities(Condition(), fields=fields)
        return stats_of(
            (entity for entities in batches for entity in entities), self.dimension, self.keep_seconds
        )

    def verify(self) -> Verification:
        """Read all rows, check the features, and compare their number with the server's."""
        broken: dict[int, str] = {}
        num_rows, dimension = 0, self.dimension
        for entities in self._entities(Condition()):
            for entity in entities:
                if fault := fault_of(as_point(entity), dimension):
                    broken[int(entity["id"])] = fault
                else:
                    num_rows += 1
        counted = self._count("id >= 0") if self._exists else 0
        found = num_rows + len(broken)
        problems = [] if counted == found else [f"the server counts {counted:,} rows but returns {found:,}"]
        return Verification(num_rows, broken, problems)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _create(self, dimension: int) -> None:
        """Create the collection and the indexes that filters use."""
        shards = {} if self._place.shards is None else {"num_shards": self._place.shards}
        self._call(
            self._client.create_collection,
            self._place.collection,
            schema=make_schema(dimension),
            index_params=make_indexes(self._place),
            consistency_level="Strong",
            **shards,
        )
        self._exists = True

    def _insert(self, first: int, vectors: Floats, sightings: Sequence[Sighting], added: float) -> None:
        unknown = {"time": None, "box": None}
        rows = [
            {
                "id": number,
                "vector": vector.tolist(),
                **unknown,
                **to_payload(number, vector, sighting, added),
            }
            for number, (vector, sighting) in enumerate(zip(vectors, sightings, strict=True), start=first)
        ]
        self._call(self._client.insert, self._place.collection, rows)

    def _take_back(self, first: int, end: int) -> None:
        if not self._exists:
            return
        try:
            self._call(self._client.delete, self._place.collection, filter=f"id >= {first} and id < {end}")
        except ConnectionError:
            logger.error(
                "gallery %s: rows from %d to %d may be stored although the call failed: delete them when it "
                "can be reached",
                *(self.name, first, end - 1),
            )

    def _rows(self, entities: Iterable[dict[str, Any]]) -> list[StoredRow]:
        """Convert entities to rows; damaged ones are left out."""
        rows = []
        for entity in entities:
            point = as_point(entity)
            if fault := fault_of(point, self.dimension):
                logger.warning("gallery %s: row %s is left out: %s", self.name, point.id, fault)
            else:
                rows.append(to_row(point))
        return rows

    def _change(self, condition: Condition, change: Callable[[str], object]) -> int:
        self._check_writable()
        chosen = to_expression(condition)
        if not self._exists or chosen is None or not (count := self._count(chosen)):
            return 0
        change(chosen)
        return count

    def _count(self, chosen: str) -> int:
        name = self._place.collection
        found = self._call(self._client.query, name, filter=chosen, output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def _entities(
        self, condition: Condition, fields: Sequence[str] = ("*",)
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield entities in ascending order of their numbers."""
        chosen = to_expression(condition)
        if not self._exists or chosen is None:
            return
        pages = self._call(
            self._client.query_iterator,
            self._place.collection,
            batch_size=ROWS_AT_ONCE,
            filter=chosen,
            output_fields=list(fields),
        )
        try:
            while page := self._call(pages.next):
                yield page
        finally:
            pages.close()

    def _check_writable(self) -> None:
        if self._mode == "r":
            raise PermissionError(
                f"gallery {self.name} is open for reading: open it with mode 'a' to change it"
            )

    def _call(self, act: Callable[..., T], *args: object, **options: object) -> T:
        """Call the server; the client repeats calls that do not reach it.

        Raises:
            ConnectionError: it could not be reached, or refused the call.
        """
        limit = {} if act.__name__ == "next" else {"timeout": CALL_SECONDS}
        try:
            return act(*args, **options, **limit)
        except import_pymilvus().MilvusException as error:
            raise ConnectionError(
                f"gallery {self.name}: the server refuses or does not answer: {error}"
            ) from None
