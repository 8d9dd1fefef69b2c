"""The engine for a cluster: Qdrant, through its official client."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from reid_gl.gallery.engines.servers.qdrant_points import INDEXED, QdrantPlace, import_client, to_filter
from reid_gl.gallery.engines.servers.served_engine import ServedEngine
from reid_gl.gallery.engines.servers.served_rows import to_payload
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Found
from reid_gl.gallery.interface.sightings import Floats, Sighting

logger = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between attempts; repeating any call is harmless."""
SETTINGS_SUFFIX = "-settings"
T = TypeVar("T")


class QdrantEngine(ServedEngine):
    """See ServedEngine.

    Args:
        client: a QdrantClient.
        place: the collection.
        mode: see MODES of sqlite_file.
    """

    rows_at_once = 256

    def __init__(self, client: Any, place: QdrantPlace, mode: str) -> None:  # noqa: ANN401
        self._client, self._place = client, place
        self._models = import_client().models
        super().__init__(place.url, place.collection, mode)

    @property
    def keep_seconds(self) -> float | None:
        """Return the age at which rows are deleted."""
        settings = self._place.collection + SETTINGS_SUFFIX
        if not self._call(lambda: self._client.collection_exists(settings)):
            return None
        points = self._call(lambda: self._client.retrieve(settings, [0], with_payload=True))
        return points[0].payload.get("keep_seconds") if points else None

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return the rows near each query, with one request for all."""
        chosen = to_filter(condition)
        if not self._exists or chosen is None:
            return Found([np.zeros(0, np.int64) for _ in queries], {})
        requests = [
            self._models.QueryRequest(
                query=query.tolist(),
                limit=num_nearest,
                filter=chosen,
                params=self._models.SearchParams(exact=self._place.exact),
                with_payload=True,
                with_vector=True,
            )
            for query in queries
        ]
        found = self._call(lambda: self._client.query_batch_points(self._place.collection, requests=requests))
        ids = [np.array([point.id for point in answer.points], np.int64) for answer in found]
        return Found(ids, {row.id: row for answer in found for row in self._rows(answer.points)})

    def keep_for(self, seconds: float | None) -> None:
        """Store the age in a separate collection, `<collection>-settings`."""
        self.check_writable()
        settings, models = self._place.collection + SETTINGS_SUFFIX, self._models
        if not self._call(lambda: self._client.collection_exists(settings)):
            config = models.VectorParams(size=1, distance=models.Distance.DOT)
            self._call(lambda: self._client.create_collection(settings, vectors_config=config))
        point = models.PointStruct(id=0, vector=[0.0], payload={"keep_seconds": seconds})
        self._call(lambda: self._client.upsert(settings, points=[point], wait=True))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _open_collection(self) -> bool:
        return bool(self._call(lambda: self._client.collection_exists(self._place.collection)))

    def _read_width(self) -> int:
        found = self._call(lambda: self._client.get_collection(self._place.collection))
        return int(found.config.params.vectors.size)

    def _create(self, dimension: int) -> None:
        models, name = self._models, self._place.collection
        config = models.VectorParams(size=dimension, distance=models.Distance.DOT)
        self._call(
            lambda: self._client.create_collection(
                name,
                vectors_config=config,
                shard_number=self._place.shards,
                replication_factor=self._place.replicas,
            )
        )
        for field, kind in INDEXED.items():
            schema = models.PayloadSchemaType(kind)
            index = partial(self._client.create_payload_index, name, field, field_schema=schema, wait=True)
            self._call(index)

    def _write(
        self, first: int, vectors: Floats, sightings: Sequence[Sighting], added: float, *, is_new: bool
    ) -> None:
        numbers = range(first, first + len(vectors))
        rows = zip(numbers, vectors, sightings, strict=True)
        batch = self._models.Batch(
            ids=list(numbers),
            vectors=vectors.tolist(),
            payloads=[to_payload(number, vector, sighting, added) for number, vector, sighting in rows],
        )
        self._call(lambda: self._client.upsert(self._place.collection, points=batch, wait=True))

    def _pages(self, condition: Condition, *, with_vectors: bool) -> Iterator[list[Any]]:
        chosen, offset = to_filter(condition), None
        while self._exists and chosen is not None:
            page = partial(
                self._client.scroll,
                self._place.collection,
                scroll_filter=chosen,
                limit=self.rows_at_once,
                offset=offset,
                with_payload=True,
                with_vectors=with_vectors,
            )
            points, offset = self._call(page)
            if points:
                yield points
            if offset is None:
                return

    def _count(self, condition: Condition) -> int:
        chosen, collection = to_filter(condition), self._place.collection
        if chosen is None:
            return 0
        return int(self._call(lambda: self._client.count(collection, count_filter=chosen, exact=True)).count)

    def _delete(self, condition: Condition) -> None:
        selector = self._models.FilterSelector(filter=to_filter(condition))
        self._call(lambda: self._client.delete(self._place.collection, points_selector=selector, wait=True))

    def _set_identity(self, condition: Condition, pid: int) -> None:
        chosen = to_filter(condition)
        self._call(
            lambda: self._client.set_payload(
                self._place.collection, payload={"pid": pid}, points=chosen, wait=True
            )
        )

    def _call(self, act: Callable[[], T]) -> T:
        """Call the server; retry if it cannot be reached.

        Raises:
            ConnectionError: it could not be reached, or refused the call.
        """
        exceptions = import_client().http.exceptions
        for pause in (*PAUSES, None):
            try:
                return act()
            except exceptions.ResponseHandlingException as error:
                if pause is None:
                    raise ConnectionError(
                        f"gallery {self.name} cannot be reached after {len(PAUSES) + 1} attempts ({error}): "
                        "is the server running there?"
                    ) from None
                logger.warning("gallery %s does not answer (%s): trying again", self.name, error)
                time.sleep(pause)
            except exceptions.UnexpectedResponse as error:
                raise ConnectionError(f"gallery {self.name} refuses: {error}") from None
        raise AssertionError("the loop returns or raises")
