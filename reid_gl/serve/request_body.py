"""Read the body of a request within limits of size and time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from reid_gl.serve.refusals import RefusedError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

WITH_BODY = ("POST", "PUT", "PATCH")
JSON = "application/json"
MOST_LISTS = 100_000
"""Lists and objects in a body. Millions of them, which 8 MB can hold, would stop the service for a second."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


def header(scope: Scope, name: str) -> str:
    """Return a header of a request; "" if it is missing, or given more than once."""
    values = [value for key, value in scope["headers"] if key == name.encode()]
    return values[0].decode("latin-1") if len(values) == 1 else ""


async def read_body(scope: Scope, receive: Receive, *, most: int, deadline: float) -> bytes:
    """Read a whole body, with or without a declared length.

    Args:
        scope: the request.
        receive: gives the parts of its body.
        most: largest number of bytes.
        deadline: time.monotonic() by which the body must have arrived.

    Raises:
        RefusedError: 413, 415 or 408: it is larger, has too many lists, is not JSON, compressed, or too slow.
        ClientGoneError: the client has left.
    """
    if scope["method"] in WITH_BODY:
        _check_type(scope)
    declared = header(scope, "content-length")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > most):
        raise _too_large(most)
    parts, size = [], 0
    while True:
        try:
            message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
        except asyncio.TimeoutError:
            raise RefusedError(
                408, "the body of the request did not arrive in time: send it faster"
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            break
    body = b"".join(parts)
    if body.count(b"[") + body.count(b"{") > MOST_LISTS:
        raise RefusedError(413, f"the body has more than {MOST_LISTS:,} lists: send fewer things at once")
    return body


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives a body that was read already, and then what `receive` gives."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return parts.pop() if parts else await receive()

    return again


def _check_type(scope: Scope) -> None:
    kind = header(scope, "content-type").partition(";")[0].strip().lower()
    if kind != JSON:
        raise RefusedError(415, f"the content type must be {JSON}: images go into it in base64")
    if header(scope, "content-encoding").lower() not in ("", "identity"):
        raise RefusedError(415, "compressed bodies are not read: send the JSON without content-encoding")


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        413, f"the body is larger than {most:,} bytes: send a smaller image, or fewer things at once"
    )
