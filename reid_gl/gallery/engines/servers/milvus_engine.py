"""The engine for a cluster: Milvus, through its official client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from reid_gl.gallery.engines.servers.milvus_place import (
    FEATURELESS,
    MilvusPlace,
    as_point,
    import_pymilvus,
    make_indexes,
    make_schema,
    make_settings,
    to_expression,
)
from reid_gl.gallery.engines.servers.served_engine import ServedEngine
from reid_gl.gallery.engines.servers.served_rows import to_payload
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Found
from reid_gl.gallery.interface.sightings import Floats, Sighting

CALL_SECONDS = 60.0
"""How long the client repeats a call to a server that does not answer."""
SETTINGS_SUFFIX = "_settings"
KEEP_FOREVER = -1.0
T = TypeVar("T")


class MilvusEngine(ServedEngine):
    """See ServedEngine.

    Args:
        client: a MilvusClient.
        place: the collection.
        mode: see MODES of sqlite_file.
    """

    rows_at_once = 1_000

    def __init__(self, client: Any, place: MilvusPlace, mode: str) -> None:  # noqa: ANN401
        self._client, self._place = client, place
        super().__init__(place.url, place.collection, mode)

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
        points = (as_point(one["entity"]) for answer in found for one in answer)
        return Found(ids, {row.id: row for row in self._rows(points)})

    def keep_for(self, seconds: float | None) -> None:
        """Store the age in a separate collection, `<collection>_settings`."""
        self.check_writable()
        settings = self._place.collection + SETTINGS_SUFFIX
        if not self._call(self._client.has_collection, settings):
            self._call(self._client.create_collection, settings, **make_settings())
        row = {"id": 0, "vector": [0.0, 0.0], "keep_seconds": KEEP_FOREVER if seconds is None else seconds}
        self._call(self._client.upsert, settings, [row])

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _open_collection(self) -> bool:
        exists = bool(self._call(self._client.has_collection, self._place.collection))
        if exists:
            self._call(self._client.load_collection, self._place.collection)
        return exists

    def _read_width(self) -> int:
        fields = self._call(self._client.describe_collection, self._place.collection)["fields"]
        return next(int(one["params"]["dim"]) for one in fields if one["name"] == "vector")

    def _create(self, dimension: int) -> None:
        shards = {} if self._place.shards is None else {"num_shards": self._place.shards}
        self._call(
            self._client.create_collection,
            self._place.collection,
            schema=make_schema(dimension),
            index_params=make_indexes(self._place),
            consistency_level="Strong",
            **shards,
        )

    def _write(
        self, first: int, vectors: Floats, sightings: Sequence[Sighting], added: float, *, is_new: bool
    ) -> None:
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
        self._call(self._client.insert if is_new else self._client.upsert, self._place.collection, rows)

    def _pages(self, condition: Condition, *, with_vectors: bool) -> Iterator[list[Any]]:
        chosen = to_expression(condition)
        if not self._exists or chosen is None:
            return
        pages = self._call(
            self._client.query_iterator,
            self._place.collection,
            batch_size=self.rows_at_once,
            filter=chosen,
            output_fields=["*"] if with_vectors else list(FEATURELESS),
        )
        try:
            while page := self._call(pages.next):
                yield [as_point(entity) for entity in page]
        finally:
            pages.close()

    def _count(self, condition: Condition) -> int:
        chosen, name = to_expression(condition), self._place.collection
        if chosen is None:
            return 0
        found = self._call(self._client.query, name, filter=chosen, output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def _delete(self, condition: Condition) -> None:
        self._call(self._client.delete, self._place.collection, filter=to_expression(condition))

    def _set_identity(self, condition: Condition, pid: int) -> None:
        for points in list(self._pages(condition, with_vectors=False)):
            changes = [{"id": point.id, "pid": pid} for point in points]
            self._call(self._client.upsert, self._place.collection, changes, partial_update=True)

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
