from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from reid_gl.serve import guard as module
from reid_gl.serve.guard import Guard
from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.refusals import RefusedError
from reid_gl.serve.tokens import Tokens

TOKEN = "a-token-for-tests-only"


class App:
    """Answers 200, or raises; keeps the scopes and bodies that reach it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.seen, self.gate = error, [], asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.seen.append(("lifespan", None))
            return
        self.seen.append((scope, (await receive())["body"]))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
        await send({"type": "http.response.body", "body": b"{}"})


def guarded(app: App, metrics: Metrics | None = None, **limits: Any) -> Guard:
    tokens = Tokens([("door", TOKEN)])
    return Guard(app, tokens=tokens, limits=Limits(**limits), metrics=metrics or Metrics())


async def call(
    guard: Guard,
    path: str = "/search",
    token: str | None = TOKEN,
    body: bytes = b"{}",
    address: str = "1.2.3.4",
) -> tuple[int, dict[bytes, bytes], bytes]:
    headers = [(b"content-type", b"application/json")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": (address, 5)}
    await guard(scope, receive, send)
    start, *parts = sent
    return start["status"], dict(start["headers"]), b"".join(part["body"] for part in parts)


def test_a_request_with_a_token_passes_with_its_body() -> None:
    app = App()
    status, headers, _ = asyncio.run(call(guarded(app), body=b"[1]"))
    assert status == 200
    assert headers == {b"x-own": b"1", b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}
    ((scope, body),) = app.seen
    assert (body, scope["state"]["client"]) == (b"[1]", "door")


@pytest.mark.parametrize("path", ["/features", "/search", "/add", "/metrics", "/docs", "/openapi.json", "/x"])
def test_without_a_token_nothing_but_health_is_reached(path: str) -> None:
    app = App()
    guard = guarded(app)
    for token in (None, "wrong-token-wrong-token"):
        status, headers, body = asyncio.run(call(guard, path, token))
        assert (status, headers[b"www-authenticate"]) == (401, b"Bearer")
        assert b"Authorization: Bearer" in body
    assert not app.seen
    assert asyncio.run(call(guard, "/health", None))[0] == 200


def test_each_token_and_address_has_its_rate() -> None:
    guard = guarded(App(), rate=2)

    async def work() -> None:
        assert [(await call(guard))[0] for _ in range(3)] == [200, 200, 429]
        assert (await call(guard, address="5.6.7.8"))[0] == 200
        status, headers, body = await call(guard)
        assert (status, headers[b"retry-after"], b"more slowly" in body) == (429, b"1", True)

    asyncio.run(work())


def test_guessing_tokens_is_slow_and_does_not_lock_out_who_has_one() -> None:
    guard = guarded(App())

    async def work() -> None:
        statuses = [(await call(guard, token=f"wrong-token-number-{n:03}"))[0] for n in range(20)]
        assert statuses[:5] == [401] * 5
        assert statuses.count(429) >= 14
        assert (await call(guard))[0] == 200

    asyncio.run(work())


def test_too_many_requests_at_once() -> None:
    async def work() -> None:
        app = App()
        guard = guarded(app, requests=1)
        app.gate.clear()
        first = asyncio.create_task(call(guard))
        await asyncio.sleep(0.01)
        assert guard.num_requests == 1
        status, headers, body = await call(guard)
        assert (status, headers[b"retry-after"]) == (503, b"1")
        assert b"1 requests are in progress already" in body
        app.gate.set()
        assert (await first)[0] == 200
        assert guard.num_requests == 0

    asyncio.run(work())


def test_an_error_inside_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("reid_gl")
    logger.propagate = True
    status, _, body = asyncio.run(call(guarded(App(ZeroDivisionError("secret detail")))))
    assert (status, body) == (500, b'{"error": "the service failed: its log says why"}')
    assert "secret detail" in caplog.text


def test_what_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("reid_gl").propagate = True
    metrics = Metrics()
    guard = guarded(App(), metrics)
    with caplog.at_level(logging.INFO, "reid_gl"):
        asyncio.run(call(guard, body=b'{"reason": "private"}'))
        asyncio.run(call(guard, f"/search/{TOKEN}\nforged", None))
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("door at 1.2.3.4: POST /search 200 in ")
    assert second.startswith("- at 1.2.3.4: POST other 401 in ")
    assert TOKEN not in caplog.text
    assert "private" not in caplog.text
    text = metrics.text(requests_in_progress=0, images_waiting=0)
    assert 'requests_total{route="/search",status="200"} 1' in text
    assert 'requests_total{route="other",status="401"} 1' in text


def test_a_refusal_of_the_body_and_of_two_tokens() -> None:
    status, _, body = asyncio.run(call(guarded(App(), body=3), body=b"1234"))
    assert (status, b"larger than 3 bytes" in body) == (413, True)
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())] * 2
    scope: Any = {"type": "http", "method": "GET", "path": "/metrics", "headers": headers, "client": None}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guarded(App())(scope, send, send))
    assert sent[0]["status"] == 401


def test_starting_and_stopping_pass_through() -> None:
    app = App()
    asyncio.run(guarded(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert app.seen == [("lifespan", None)]


def test_every_path_is_in_the_list() -> None:
    pytest.importorskip("fastapi")
    from reid_gl.serve.routes import open_router, router

    routes = [route.path for route in (*open_router.routes, *router.routes)]  # type: ignore[attr-defined]
    assert {*routes, "/openapi.json"} == set(module.PATHS)
    assert [route.path for route in open_router.routes] == [module.OPEN_PATH]  # type: ignore[attr-defined]
    assert RefusedError(400, "a").headers == {}
