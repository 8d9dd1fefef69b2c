"""Over HTTP, as a client meets the service."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from reid_gl.evaluation.thresholds.probability import same_person_probability
from reid_gl.gallery import Gallery, Sighting
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve.limits import Limits
from tests.inference.extractor.test_stored_thresholds import CALIBRATION
from tests.serve.conftest import MeanColor
from tests.serve.encoded import as_text, person
from tests.serve.running_service import OTHER_TOKEN, Client, running
from tests.serve.test_request_images import bomb, encoded
from tests.tiny_checkpoint import coloured_crops


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service with three rows, for tests that change nothing."""
    gallery = tmp_path_factory.mktemp("shared") / "people.db"
    metadata = [Sighting(camera, 1e9 + camera, path=f"{camera}.jpg") for camera in range(3)]
    with Gallery(gallery) as writer:
        writer.add(np.eye(3, dtype=np.float32), metadata)
    extractor = FeatureExtractor(MeanColor(), color_order="rgb")
    with running(extractor, gallery, calibration=CALIBRATION, limits=Limits(rate=1e6)) as client:
        yield client


def test_features_are_those_of_the_extractor(shared: Client, extractor: FeatureExtractor) -> None:
    (frame,) = coloured_crops(1, size=(120, 100))
    boxes = [[5, 5, 35, 85], [200, 200, 210, 220], [30.7, 2.2, 68.3, 116.8]]
    expected = extractor.extract(frame, boxes, box_format="tlwh")
    reply = shared.post("/features", image=as_text(frame), boxes=boxes, box_format="tlwh")
    assert reply.status == 200
    np.testing.assert_array_equal(np.array(reply.json["features"], np.float32), expected.features)
    assert reply.json["valid"] == expected.valid.tolist() == [True, False, True]
    whole = shared.post("/features", image=as_text(frame)).json
    np.testing.assert_array_equal(np.array(whole["features"], np.float32), extractor(frame))
    assert whole["valid"] == [True]


def test_a_search_answers_with_rows_ready_to_show(shared: Client) -> None:
    reply = shared.post("/search", vector=[1, 0.5, 0], k=2)
    first, second = reply.json["matches"]
    assert first.pop("score") == pytest.approx(2 / 5**0.5)
    expected = same_person_probability(CALIBRATION, 1 - second["score"])
    assert 0 < expected < 1
    assert second["probability"] == expected
    assert first.pop("probability") is not None
    rest = {"camera": 0, "time": 1e9, "tracklet": -1, "pid": -1, "path": "0.jpg", "frame": -1, "box": None}
    assert first == {"id": 1, **rest}


def test_filters(shared: Client) -> None:
    def found(**fields: Any) -> list[int]:
        return [match["id"] for match in shared.post("/search", vector=[3, 2, 1], **fields).json["matches"]]

    assert found() == [1, 2, 3]
    assert found(k=1) == [1]
    assert found(cameras=[1, 2]) == [2, 3]
    assert found(time=[1e9 + 1, None]) == [2, 3]
    assert found(exclude={"camera": 0}) == found(exclude=[{"id": [1]}]) == [2, 3]
    assert found(min_score=0.5) == [1, 2]


def test_a_search_with_an_image(shared: Client) -> None:
    red = np.zeros((40, 20, 3), np.uint8)
    red[:, :10] = (0, 0, 255)
    red[:, 10:] = (255, 0, 0)
    found = [
        shared.post("/search", image=as_text(red), box=box, k=1).json["matches"][0]["id"]
        for box in ([0, 0, 10, 40], [10, 0, 20, 40])
    ]
    assert found == [3, 1]


MISTAKES: list[tuple[str, dict[str, Any], int, str]] = [
    ("/features", {"image": encoded(b"GIF89a")}, 422, "image must be one of JPEG, PNG, WebP, BMP"),
    ("/features", {"image": encoded(bomb(9_000, 8_000))}, 400, "claims 9000 x 8000 pixels"),
    ("/features", {"image": encoded(bomb(9_000, 9)[:-20])}, 400, "is truncated"),
    ("/features", {"image": person(), "boxes": [[0, 0, 1, 1]] * 10_000}, 413, "10,000 boxes, more than 256"),
    ("/features", {"image": person(), "boxes": [[1, 2, 3]]}, 422, "boxes[0]: list should have at least 4"),
    ("/features", {"image": person(), "boxes": [[0.1, 0.1, 0.5, 0.5]]}, 422, "boxes must be in pixels"),
    ("/search", {"vector": [1.0, float("nan"), 0]}, 422, "query features are NaN"),
    ("/search", {"vector": [1.0, 1e300, 0]}, 422, "query features are NaN, infinite or beyond"),
    ("/search", {"vector": [0, 0, 0]}, 422, "query features are all zeros"),
    (
        "/search",
        {"vector": [1.0] * 8},
        422,
        "query features have 8 numbers each, this gallery holds features of 3",
    ),
    ("/search", {"vector": []}, 422, "query features"),
    ("/search", {}, 422, "give an image or vector, and not both"),
    ("/search", {"image": person(), "vector": [1]}, 422, "give an image or vector, and not both"),
    ("/search", {"vector": [1, 2, 3], "box": [1, 2, 3, 4]}, 422, "box is a part of an image"),
    ("/search", {"image": person(), "box": [900, 900, 901, 901]}, 422, "boxes [0] contain no pixel"),
    ("/search", {"vector": [1, 2, 3], "k": 1_001}, 422, "at most 1000 matches"),
    ("/search", {"vector": [1, 2, 3], "colour": 3}, 422, "the field colour is unknown"),
    ("/search", {"vector": [1, 2, 3], "exclude": {"colour": 3}}, 422, "rows cannot be selected by 'colour'"),
    ("/search", {"vector": [1, 2, 3], "exclude": {}}, 422, "exclude must be a mapping"),
    (
        "/add",
        {"vectors": [[1, 2, 3], [1]], "sightings": [{}, {}]},
        422,
        "vectors must all have the same length",
    ),
    ("/add", {"vectors": [[1, 2, 3]], "sightings": [{}, {}]}, 422, "1 features came with metadata of 2 rows"),
    ("/add", {"vectors": [[1, 2, 3, 4]], "sightings": [{}]}, 422, "this gallery holds features of 3"),
    ("/add", {"vectors": [[1, 2, float("inf")]], "sightings": [{}]}, 422, "features are NaN, infinite"),
    ("/add", {"vectors": [[1, 2, 3]], "sightings": [{"time": 1e12}]}, 422, "are these milliseconds?"),
    ("/add", {"vectors": [[1, 2, 3]], "sightings": [{"box": [9, 9, 1, 1]}]}, 422, "with x1 <= x2"),
    ("/add", {"vectors": [[1, 2, 3]] * 300, "sightings": [{}] * 300}, 413, "300 sightings, more than 256"),
    (
        "/add",
        {"image": person(), "sightings": [{}, {}]},
        422,
        "several sightings in one image need a box each",
    ),
    (
        "/add",
        {"image": person(), "sightings": [{"box": [1, 1, 9, 9]}, {"box": [99, 99, 100, 100]}]},
        422,
        "boxes [1] contain no pixel of the image: leave them out",
    ),
]


@pytest.mark.parametrize(("path", "fields", "status", "message"), MISTAKES)
def test_a_mistake_is_one_sentence(
    path: str, fields: dict[str, Any], status: int, message: str, shared: Client
) -> None:
    reply = shared.post(path, **fields)
    assert (reply.status, message in reply.error) == (status, True), reply.error
    assert "people.db" not in reply.error
    assert shared.post("/search", vector=[1, 1, 1]).status == 200
    assert len(shared.post("/search", vector=[1, 1, 1]).json["matches"]) == 3  # nothing was added


def test_bodies_that_cannot_be_read(shared: Client) -> None:
    deep = "[" * 100_000
    for body, status, message in [
        ("{bad", 400, "the body is not valid JSON"),
        (deep, 400, "the body "),
        ("", 422, "the body is empty"),
        ("[]", 422, "the body"),
        (b"\xff", 400, "the body cannot be read as JSON"),
        ('{"k": ' + "9" * 5_000 + "}", 400, "the body cannot be read as JSON"),
        (b"x" * 8_000_001, 413, "the body is larger than 8,000,000 bytes"),
    ]:
        reply = shared.send("POST", "/search", body)
        assert (reply.status, message in reply.error) == (status, True), reply.error
    reply = shared.send("POST", "/search", iter([b"x" * 1_000_000] * 9), transfer_encoding="chunked")
    assert (reply.status, "8,000,000 bytes" in reply.error) == (413, True)
    reply = shared.send("POST", "/search", b"{}", content_type="text/plain")
    assert (reply.status, "must be application/json" in reply.error) == (415, True)
    assert shared.send("POST", "/search", b"{}", content_encoding="gzip").status == 415
    assert shared.get("/nothing").error == "there is no such path: GET /docs lists them"
    reply = shared.get("/add")
    assert (reply.status, reply.error) == (405, "the path takes another method")


def test_a_wrong_token_gets_nothing(shared: Client) -> None:
    for token in (None, "wrong-token-wrong-token"):
        reply = Client(shared.port, token).post("/search", vector=[1, 2, 3])
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert "matches" not in reply.text
    url = f"/metrics?token={OTHER_TOKEN}&access_token={OTHER_TOKEN}"
    assert Client(shared.port, None).get(url).status in (401, 429)
    assert Client(shared.port, None).get("/health").json == {"status": "ok"}


def test_the_pages(shared: Client) -> None:
    openapi = shared.get("/openapi.json").json
    assert set(openapi["paths"]) == {"/health", "/features", "/search", "/add", "/metrics"}
    assert openapi["paths"]["/search"]["post"]["security"] == [{"HTTPBearer": []}]
    assert "security" not in openapi["paths"]["/health"]["get"]
    page = shared.get("/docs")
    assert "SearchRequest" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["cache-control"] == "no-store"
    metrics = shared.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'reid_gl_requests_total{route="/openapi.json",status="200"}' in metrics.text
    assert "reid_gl_requests_in_progress 1" in metrics.text


def test_additions(extractor: FeatureExtractor, gallery: Path) -> None:
    with running(extractor, gallery) as client:
        assert client.post("/search", image=person()).json == {"matches": []}
        image, fields = person(), {"camera": 3, "time": 1e9, "tracklet": 7, "path": "a.jpg"}
        boxes = [{"box": [0, 0, 30, 40], **fields}, {"box": [0, 40, 30, 80], **fields}]
        assert client.post("/add", image=image, sightings=boxes).json == {"ids": [1, 2]}
        assert client.post("/add", image=image, sightings=[{}]).json == {"ids": [3]}
        vector = client.post("/features", image=image).json["features"][0]
        assert client.post("/add", vectors=[vector], sightings=[{"pid": 4}]).json == {"ids": [4]}
        matches = client.post("/search", vector=vector).json["matches"]
        assert [match["id"] for match in matches[:2]] == [3, 4]  # the image and its feature
        with pytest.raises(BlockingIOError, match="open for writing elsewhere"):
            Gallery(gallery)
        with Gallery(gallery, "r") as other:
            (found,) = other.search(np.array(vector, np.float32), 4)
    box = {match.id: match.sighting for match in found}[2]
    assert box == Sighting(3, 1e9, 7, path="a.jpg", box=(0, 40, 30, 80))


def test_an_addition_whose_answer_was_lost(extractor: FeatureExtractor, gallery: Path) -> None:
    body = {"image": person(), "sightings": [{"camera": 3}]}
    with running(extractor, gallery) as client:
        replies = [client.send("POST", "/add", body, idempotency_key=key) for key in ("a1", '"a1"', "a2")]
        assert [reply.json["ids"] for reply in replies] == [[1], [1], [2]]
        other = {**body, "sightings": [{"camera": 4}]}
        reply = client.send("POST", "/add", other, idempotency_key="a1")
        assert (reply.status, "was used to add other rows: repeat exactly" in reply.error) == (422, True)
        assert "people.db" not in reply.error
        for key in ("", "two words", "x" * 256):
            reply = client.send("POST", "/add", body, idempotency_key=key)
            assert (reply.status, reply.error.startswith("Idempotency-Key must be 1 to 255")) == (422, True)
    with running(extractor, gallery) as client:  # after a restart, too
        assert client.send("POST", "/add", body, idempotency_key="a2").json == {"ids": [2]}
        assert "Idempotency-Key" in client.get("/docs").text
        (header,) = client.get("/openapi.json").json["paths"]["/add"]["post"]["parameters"]
        assert (header["name"], header["in"], header["required"]) == ("idempotency-key", "header", False)
        assert len(client.post("/search", image=person()).json["matches"]) == 2


def test_the_audit_log_names_the_client(extractor: FeatureExtractor, gallery: Path) -> None:
    with running(extractor, gallery) as client:
        client.post("/add", vectors=[[1, 2, 3]], sightings=[{}])
        client.post("/search", vector=[1, 2, 3], reason="case 17")
        Client(client.port, OTHER_TOKEN).post("/search", vector=[1, 2, 3])
    log = gallery.with_name("people.db.audit.jsonl")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    (added,) = (entry for entry in entries if entry["action"] == "add")
    assert (added["user"], added["rows"]) == ("tests", 1)
    start, first, second = (entry for entry in entries if entry["action"] == "search")
    assert (start["queries"], "the service starts" in start["reason"]) == (0, True)
    assert (first["user"], first["reason"], first["rows"]) == ("tests", "case 17", [[1]])
    assert second["user"] == "others"


def test_requests_that_arrive_together_share_a_batch(
    extractor: FeatureExtractor, network: MeanColor, gallery: Path
) -> None:
    with running(extractor, gallery) as client, ThreadPoolExecutor(17) as pool:
        network.gate.clear()
        first = pool.submit(client.post, "/features", image=person(0))
        assert network.entered.acquire(timeout=30)
        others = [pool.submit(client.post, "/features", image=person(n)) for n in range(1, 17)]
        wait_for(lambda: "images_waiting 16" in client.get("/metrics").text)
        network.gate.set()
        replies = [first.result(), *(reply.result() for reply in others)]
    assert network.sizes == [1, 16]  # 17 requests, two calls of the network
    for number, reply in enumerate(replies):
        expected = extractor(coloured_crops(1, seed=number)[0])
        np.testing.assert_allclose(reply.json["features"], expected, rtol=1e-6)


def test_full_queues_and_requests_that_wait_too_long(
    extractor: FeatureExtractor, network: MeanColor, gallery: Path
) -> None:
    limits = Limits(images=1, requests=3, seconds=0.5)
    with running(extractor, gallery, limits=limits) as client, ThreadPoolExecutor(4) as pool:
        network.gate.clear()
        first = pool.submit(client.post, "/features", image=person())
        assert network.entered.acquire(timeout=30)
        late = pool.submit(client.post, "/features", image=person())
        wait_for(lambda: "images_waiting 1" in client.get("/metrics").text)
        reply = client.post("/features", image=person())
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.error == "1 images wait for the network already: try again later"
        assert "waited too long for the network" in late.result().error
        assert client.get("/health").status == 200
        network.gate.set()
        assert first.result().status == 200
        assert client.post("/features", image=person()).status == 200


def test_searches_while_rows_are_deleted(extractor: FeatureExtractor, gallery: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    with Gallery(gallery) as writer:
        writer.add(rows, [Sighting()] * 200)
        with running(extractor, gallery, read_only=True) as client, ThreadPoolExecutor(4) as pool:
            assert client.post("/add", vectors=[[1, 2, 3]], sightings=[{}]).status == 403
            searches = [pool.submit(client.post, "/search", vector=[1, 2, 3], k=200) for _ in range(60)]
            for first in range(1, 200, 20):
                writer.delete(ids=range(first, first + 10))
            replies = [search.result() for search in searches]
            left = client.post("/search", vector=[1, 2, 3], k=200).json["matches"]
    assert {reply.status for reply in replies} == {200}
    counts = [len(reply.json["matches"]) for reply in replies]
    assert all(100 <= count <= 200 and count % 10 == 0 for count in counts)  # never half of a deletion
    assert sorted(match["id"] for match in left) == [n for n in range(1, 201) if (n - 1) % 20 >= 10]


def test_searches_beside_additions(extractor: FeatureExtractor, gallery: Path) -> None:
    with running(extractor, gallery) as client, ThreadPoolExecutor(4) as pool:
        client.post("/add", vectors=[[1, 1, 1]], sightings=[{}])
        added = [pool.submit(client.post, "/add", vectors=[[1, n, 1]], sightings=[{}]) for n in range(2, 22)]
        found = [pool.submit(client.post, "/search", vector=[1, 1, 1], k=99) for _ in range(20)]
        assert sorted(reply.result().json["ids"][0] for reply in added) == list(range(2, 22))
        assert {reply.result().status for reply in found} == {200}
        assert len(client.post("/search", vector=[1, 1, 1], k=99).json["matches"]) == 21


def test_a_gallery_that_fails_is_not_explained_to_clients(
    extractor: FeatureExtractor, gallery: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = gallery.with_name("people.db.audit.jsonl")
    with running(extractor, gallery) as client:
        client.post("/add", vectors=[[1, 1, 1]], sightings=[{}])
        log.unlink()
        log.mkdir()
        reply = client.post("/search", vector=[1, 1, 1])
        log.rmdir()
        assert client.post("/search", vector=[1, 1, 1]).status == 200
    assert (reply.status, "the service's log says why" in reply.error) == (500, True)
    assert "people.db" not in reply.text
    assert "people.db.audit.jsonl cannot be written" in caplog.text


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen")
