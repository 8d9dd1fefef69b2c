from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.gallery import DamagedGalleryError, Gallery, Sighting
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.searches import Search
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.refusals import RefusedError
from reid_gl.serve.service import Service, client_mistakes
from tests.serve.conftest import MeanColor
from tests.serve.encoded import as_text
from tests.tiny_checkpoint import coloured_crops

ONES = np.ones(3, np.float32)


def soon() -> float:
    return time.monotonic() + 30.0


@pytest.fixture
def service(extractor: FeatureExtractor, gallery: Path) -> Iterator[Service]:
    writer, reader = Gallery(gallery), Gallery(gallery, "r")
    service = Service(
        extractor,
        batch_size=8,
        reader=reader,
        writer=writer,
        limits=Limits(boxes=5, matches=4),
        metrics=Metrics(),
    )
    yield service
    service.close()


def search(service: Service, query: np.ndarray, **others: Any) -> Any:
    return service.search(Search(query, **{"k": 4, **others}, user="door"), soon())


def add(service: Service, features: np.ndarray, sightings: list[Sighting], **others: Any) -> Any:
    given = {"client": "door", "key": None, **others}
    return service.add(features, sightings, **given, deadline=soon())


def test_features_are_the_extractors(service: Service, network: MeanColor) -> None:
    (frame,) = coloured_crops(1, size=(120, 100))
    boxes = [[5, 5, 40, 90], [200, 200, 210, 220], [30.7, 2.2, 99, 119]]
    expected = FeatureExtractor(network, color_order="rgb").extract(frame, boxes)
    found = asyncio.run(service.features(as_text(frame), boxes, "xyxy", soon()))
    np.testing.assert_array_equal(found.features, expected.features)
    assert found.valid.tolist() == expected.valid.tolist() == [True, False, True]
    nothing = asyncio.run(service.features(as_text(frame), [], "xyxy", soon()))
    assert nothing.features.shape == (0, 3)
    outside = asyncio.run(service.features(as_text(frame), boxes[1:2], "xyxy", soon()))
    assert not outside.features.any()


def test_an_addition_is_on_the_disk_and_found(service: Service, gallery: Path) -> None:
    vectors = np.eye(3, dtype=np.float32)
    ids = asyncio.run(add(service, vectors, [Sighting(camera) for camera in range(3)]))
    assert ids == [1, 2, 3]
    with Gallery(gallery, "r") as other:
        assert other.stats().num_rows == 3
    answer = asyncio.run(search(service, vectors[1], cameras=[1, 2]))
    assert [(match.id, match.score) for match in answer] == [(2, 1.0), (3, 0.0)]
    assert asyncio.run(service.apply_retention(soon())) == 0


@pytest.mark.parametrize(
    ("ask", "status", "message"),
    [
        (lambda s: s.features("A", [[0] * 4] * 6, "xyxy", soon()), 413, "6 boxes, more than 5"),
        (lambda s: s.features("A", None, "xyxy", soon()), 422, "in base64"),
        (
            lambda s: s.features("/9j/", None, "xyxy", soon()),
            400,
            "'image' is damaged, its header cannot be read",
        ),
        (lambda s: add(s, np.ones((6, 3)), [Sighting()] * 6), 413, "6 sightings, more than 5"),
        (lambda s: add(s, np.zeros((1, 3), np.float32), [Sighting()]), 422, "all zeros"),
        (lambda s: search(s, ONES, k=5), 422, "k is 5, but an answer has at most 4"),
        (lambda s: search(s, ONES * np.float32(np.nan)), 422, "NaN"),
        (lambda s: search(s, ONES, min_score=2), 422, "min_score is a cosine"),
        (lambda s: search(s, ONES, exclude=[{"colour": [1]}]), 422, "cannot be selected by 'colour'"),
        (lambda s: search(s, ONES, time=(2.0, 1.0)), 422, "time ends before it begins"),
    ],
)
def test_a_mistake_is_one_sentence(ask: Any, status: int, message: str, service: Service) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        asyncio.run(ask(service))
    assert caught.value.status == status


def test_an_addition_is_done_once_for_a_client_and_a_key(service: Service, gallery: Path) -> None:
    rows, one = np.eye(3, dtype=np.float32), [Sighting(1), Sighting(2), Sighting(3)]
    for client, expected in (("door", [1, 2, 3]), ("gate", [4, 5, 6]), ("door", [1, 2, 3])):
        assert asyncio.run(add(service, rows, one, client=client, key="a")) == expected
    with pytest.raises(RefusedError, match="was used to add other rows") as caught:
        asyncio.run(add(service, rows[:1], one[:1], key="a"))
    assert caught.value.status == 422
    log = gallery.with_name("people.db.audit.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in log]
    assert [(line["action"], line["user"]) for line in lines] == [("add", "door"), ("add", "gate")]


def test_searches_that_arrive_together_are_one_search_of_the_engine(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(add(service, np.eye(3, dtype=np.float32), [Sighting(camera) for camera in range(3)]))
    calls: list[int] = []
    inside, gate = threading.Semaphore(0), threading.Event()

    def slow(engine: SqliteEngine, queries: np.ndarray, num_nearest: int, condition: Any) -> Any:
        calls.append(len(queries))
        inside.release()
        assert gate.wait(30)
        return whole(engine, queries, num_nearest, condition)

    whole = SqliteEngine.search
    monkeypatch.setattr(SqliteEngine, "search", slow)

    async def work() -> list[Any]:
        first = asyncio.create_task(search(service, ONES))
        assert await asyncio.to_thread(inside.acquire, timeout=30)
        queries = [ONES, np.eye(3, dtype=np.float32)[1], ONES * np.float32(np.nan), ONES]
        asked = [{"k": 1}, {"k": 2}, {}, {"cameras": 2}]
        others = [
            asyncio.create_task(search(service, query, **one))
            for query, one in zip(queries, asked, strict=True)
        ]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    first, one, two, wrong, filtered = asyncio.run(work())
    assert calls == [1, 2, 1]  # the first; the two without a filter; the one with a filter
    ids = [[match.id for match in answer] for answer in (first, one, two, filtered)]
    assert ids == [[1, 2, 3], [1], [2, 1], [3]]
    assert isinstance(wrong, RefusedError)
    assert "NaN" in wrong.sentence


def test_a_service_that_only_searches(extractor: FeatureExtractor, gallery: Path) -> None:
    Gallery(gallery).close()
    service = Service(
        extractor,
        batch_size=8,
        reader=Gallery(gallery, "r"),
        writer=None,
        limits=Limits(),
        metrics=Metrics(),
    )
    with pytest.raises(RefusedError, match="this service only searches") as caught:
        asyncio.run(add(service, np.ones((1, 3), np.float32), [Sighting()]))
    assert caught.value.status == 403
    service.close()


def test_a_damaged_gallery_is_no_mistake_of_the_client() -> None:
    with pytest.raises(DamagedGalleryError), client_mistakes():
        raise DamagedGalleryError("broken")


def test_closing_closes_the_gallery(service: Service, gallery: Path) -> None:
    with pytest.raises(BlockingIOError):
        Gallery(gallery)
    service.close()
    with Gallery(gallery) as writer:  # nobody else has its lock
        assert writer.stats().num_rows >= 0
