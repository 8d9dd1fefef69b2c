"""What every request passes first: token, rate, number of requests, size; and what is logged of it."""

from __future__ import annotations

import json
import logging
import math
import time
from typing import TYPE_CHECKING

from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.rate_limit import RateLimit
from reid_gl.serve.refusals import BusyError, RefusedError
from reid_gl.serve.request_body import ClientGoneError, header, read_body, replayed
from reid_gl.serve.tokens import Tokens

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

OPEN_PATH = "/health"
"""The only path that needs no token."""
PATHS = (OPEN_PATH, "/features", "/search", "/add", "/metrics", "/docs", "/openapi.json")
WRONG_TOKENS_RATE = 5.0
"""Requests per second without a valid token that an address gets an answer 401 to."""
HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Headers of every answer."""
FAILED = "the service failed: its log says why"
CLIENT_LEFT = 499
"""Status in the log and the metrics for requests without an answer."""


class Guard:
    """An ASGI application around another one.

    Args:
        app: serves the requests that pass; their state has `client`, the name of the token, and `deadline`,
            the time.monotonic() by which work on them must have started.
        tokens: accepted tokens.
        limits: limits of the service.
        metrics: counts the requests.

    Attributes:
        num_requests: number of requests in progress.
    """

    def __init__(self, app: ASGIApp, *, tokens: Tokens, limits: Limits, metrics: Metrics) -> None:
        self._app, self._tokens, self._limits, self._metrics = app, tokens, limits, metrics
        self._rates, self._wrong = RateLimit(limits.rate), RateLimit(WRONG_TOKENS_RATE)
        self.num_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or start and stop the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, client = time.monotonic(), CLIENT_LEFT, self._tokens.client_of(_authorization(scope))

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        try:
            await self._admit(client, scope, receive, noted)
        except RefusedError as refusal:
            await _answer(noted, refusal)
        except ClientGoneError:
            pass
        except Exception:  # of any kind: it must reach the log, and the client must not wait
            logger.exception("an error inside the service")
            if status == CLIENT_LEFT:
                await _answer(noted, RefusedError(500, FAILED))
        finally:
            seconds = time.monotonic() - start
            route = scope["path"] if scope["path"] in PATHS else "other"
            self._metrics.count_request(route, status, seconds)
            words = (client or "-", _address(scope), scope["method"], route, status, 1e3 * seconds)
            logger.info("%s at %s: %s %s %d in %.0f ms", *words)

    async def _admit(self, client: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == OPEN_PATH:
            await self._app(scope, replayed(b"", receive), send)
            return
        self._check_client(client, _address(scope))
        if self.num_requests >= self._limits.requests:
            raise BusyError(f"{self.num_requests} requests are in progress already: try again later")
        deadline = time.monotonic() + self._limits.seconds
        self.num_requests += 1
        try:
            body = await read_body(scope, receive, most=self._limits.body, deadline=deadline)
            state = {**scope.get("state", {}), "client": client, "deadline": deadline}
            await self._app({**scope, "state": state}, replayed(body, receive), send)
        finally:
            self.num_requests -= 1

    def _check_client(self, client: str | None, address: str) -> None:
        limit = self._wrong if client is None else self._rates
        if wait := limit.take((client, address)):
            raise RefusedError(
                429, "too many requests: send them more slowly", {"retry-after": str(math.ceil(wait))}
            )
        if client is None:
            raise RefusedError(
                401,
                "the request has no valid token: send the header Authorization: Bearer <token>",
                {"www-authenticate": "Bearer"},
            )


def _authorization(scope: Scope) -> bytes:
    return header(scope, "authorization").encode("latin-1")


def _address(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else "unknown"


async def _answer(send: Send, refusal: RefusedError) -> None:
    body = json.dumps({"error": refusal.sentence}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    plain = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": plain})
    await send({"type": "http.response.body", "body": body})
