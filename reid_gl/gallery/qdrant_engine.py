"""The engine for a cluster: Qdrant, through its official client."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from reid_gl.gallery.condition import Condition
from reid_gl.gallery.engine import Found, GalleryStats, Verification
from reid_gl.gallery.qdrant_points import (
    INDEXED,
    LARGEST_ID,
    QdrantPlace,
    import_client,
    to_filter,
)
from reid_gl.gallery.served_rows import fault_of, stats_of, to_payload, to_row
from reid_gl.gallery.sightings import Floats, Ints, Sighting, StoredRow

logger = logging.getLogger(__name__)

POINTS_AT_ONCE = 256
PAUSES = (0.5, 1.0, 2.0)
"""Seconds between attempts; repeating any call is harmless."""
SETTINGS_SUFFIX = "-settings"
T = TypeVar("T")


class QdrantEngine:
    """See Engine. Row numbers are random, so that several programs can add at once.

    If a call of `add` fails, it removes the rows that it has stored; if it is killed, some of its rows stay.

    Args:
        client: a QdrantClient.
        place: the collection.
        mode: see MODES of sqlite_file.
    """

    def __init__(self, client: Any, place: QdrantPlace, mode: str) -> None:  # noqa: ANN401
        self._client, self._place, self._mode = client, place, mode
        self._models = import_client().models
        self._width: int | None = None
        self._exists = bool(self._call(lambda: client.collection_exists(place.collection)))
        if not self._exists and mode != "a":
            raise FileNotFoundError(f"gallery {self.name} does not exist: add features to create it")

    @property
    def name(self) -> str:
        """Return server and collection."""
        return f"{self._place.url}/{self._place.collection}"

    @property
    def dimension(self) -> int | None:
        """Return D of the features."""
        if self._width is None and self._exists:
            found = self._call(lambda: self._client.get_collection(self._place.collection))
            self._width = int(found.config.params.vectors.size)
        return self._width

    @property
    def keep_seconds(self) -> float | None:
        """Return the age at which rows are deleted."""
        settings = self._place.collection + SETTINGS_SUFFIX
        if not self._call(lambda: self._client.collection_exists(settings)):
            return None
        points = self._call(lambda: self._client.retrieve(settings, [0], with_payload=True))
        return points[0].payload.get("keep_seconds") if points else None

    def add(self, parts: Iterable[tuple[Floats, Sequence[Sighting]]], added: float) -> Ints:
        """Store all parts; without transactions, see the class."""
        self._check_writable()
        first = number = secrets.randbelow(LARGEST_ID // 2) + 1
        try:
            for vectors, sightings in parts:
                if not self._exists:
                    self._create(vectors.shape[1])
                for start in range(0, len(vectors), POINTS_AT_ONCE):
                    rows = slice(start, start + POINTS_AT_ONCE)
                    self._upsert(number, vectors[rows], sightings[rows], added)
                    number += len(vectors[rows])
        except BaseException:
            self._take_back(range(first, number + POINTS_AT_ONCE))
            raise
        return np.arange(first, number, dtype=np.int64)

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

    def read(self, condition: Condition) -> Iterator[list[StoredRow]]:
        """Yield the rows that satisfy a condition."""
        for points in self._points(condition, with_vectors=True):
            yield self._rows(points)

    def delete(self, condition: Condition) -> int:
        """Delete rows."""
        return self._change(
            condition,
            lambda chosen: self._client.delete(
                self._place.collection, points_selector=self._models.FilterSelector(filter=chosen), wait=True
            ),
        )

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Change identities."""
        return self._change(
            condition,
            lambda chosen: self._client.set_payload(
                self._place.collection, payload={"pid": pid}, points=chosen, wait=True
            ),
        )

    def keep_for(self, seconds: float | None) -> None:
        """Store the age in a separate collection, `<collection>-settings`."""
        self._check_writable()
        settings, models = self._place.collection + SETTINGS_SUFFIX, self._models
        if not self._call(lambda: self._client.collection_exists(settings)):
            config = models.VectorParams(size=1, distance=models.Distance.DOT)
            self._call(lambda: self._client.create_collection(settings, vectors_config=config))
        point = models.PointStruct(id=0, vector=[0.0], payload={"keep_seconds": seconds})
        self._call(lambda: self._client.upsert(settings, points=[point], wait=True))

    def stats(self) -> GalleryStats:
        """Return statistics, from the metadata of all rows."""
        batches = self._points(Condition(), with_vectors=False)
        return stats_of(
            (point.payload for points in batches for point in points), self.dimension, self.keep_seconds
        )

    def verify(self) -> Verification:
        """Read all rows, check the features, and compare their number with the server's."""
        broken: dict[int, str] = {}
        num_rows, dimension = 0, self.dimension
        for points in self._points(Condition(), with_vectors=True):
            for point in points:
                if fault := fault_of(point, dimension):
                    broken[int(point.id)] = fault
                else:
                    num_rows += 1
        counted = self._count(self._models.Filter()) if self._exists else 0
        found = num_rows + len(broken)
        problems = [] if counted == found else [f"the server counts {counted:,} rows but returns {found:,}"]
        return Verification(num_rows, broken, problems)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _create(self, dimension: int) -> None:
        """Create the collection and the indexes that filters use."""
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
        self._exists = True

    def _upsert(self, first: int, vectors: Floats, sightings: Sequence[Sighting], added: float) -> None:
        numbers = range(first, first + len(vectors))
        rows = zip(numbers, vectors, sightings, strict=True)
        batch = self._models.Batch(
            ids=list(numbers),
            vectors=vectors.tolist(),
            payloads=[to_payload(number, vector, sighting, added) for number, vector, sighting in rows],
        )
        self._call(lambda: self._client.upsert(self._place.collection, points=batch, wait=True))

    def _take_back(self, numbers: range) -> None:
        if not self._exists:
            return
        selector = self._models.PointIdsList(points=list(numbers))
        try:
            self._call(lambda: self._client.delete(self._place.collection, selector, wait=True))
        except ConnectionError:
            logger.error(
                "gallery %s: rows from %d to %d may be stored although the call failed: delete them when it "
                "can be reached",
                *(self.name, numbers.start, numbers.stop - 1),
            )

    def _rows(self, points: Iterable[Any]) -> list[StoredRow]:
        """Convert points to rows; damaged points and those of other programs are left out."""
        rows = []
        for point in points:
            if fault := fault_of(point, self._width):
                logger.warning("gallery %s: row %s is left out: %s", self.name, point.id, fault)
            else:
                rows.append(to_row(point))
        return rows

    def _change(self, condition: Condition, change: Callable[[Any], object]) -> int:
        self._check_writable()
        chosen = to_filter(condition)
        if not self._exists or chosen is None or not (count := self._count(chosen)):
            return 0
        self._call(lambda: change(chosen))
        return count

    def _count(self, chosen: Any) -> int:  # noqa: ANN401
        collection = self._place.collection
        return int(self._call(lambda: self._client.count(collection, count_filter=chosen, exact=True)).count)

    def _points(self, condition: Condition, *, with_vectors: bool) -> Iterator[list[Any]]:
        """Yield points in ascending order of their numbers."""
        chosen, offset = to_filter(condition), None
        while self._exists and chosen is not None:
            page = partial(
                self._client.scroll,
                self._place.collection,
                scroll_filter=chosen,
                limit=POINTS_AT_ONCE,
                offset=offset,
                with_payload=True,
                with_vectors=with_vectors,
            )
            points, offset = self._call(page)
            if points:
                yield points
            if offset is None:
                return

    def _check_writable(self) -> None:
        if self._mode == "r":
            raise PermissionError(
                f"gallery {self.name} is open for reading: open it with mode 'a' to change it"
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
