from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from reid_gl.serve.refusals import RefusedError
from reid_gl.serve.request_body import ClientGoneError, read_body, replayed


def scope(method: str = "POST", **headers: str) -> dict[str, Any]:
    named = {"content_type": "application/json; charset=utf-8", **headers}
    plain = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    return {"method": method, "headers": plain}


def read(given: dict[str, Any], *messages: dict[str, Any], most: int = 10, seconds: float = 5.0) -> bytes:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    return asyncio.run(read_body(given, receive, most=most, deadline=time.monotonic() + seconds))


def part(data: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


def test_parts_become_one_body() -> None:
    assert read(scope(), part(b"12345", True), part(b"67890")) == b"1234567890"
    assert read(scope(content_length="10"), part(b"1234567890")) == b"1234567890"
    assert read({"method": "GET", "headers": []}, part(b"")) == b""


@pytest.mark.parametrize(
    ("given", "messages", "status"),
    [
        (scope(content_length="11"), [], 413),  # before anything is read
        (scope(content_length="9" * 5_000), [], 413),
        (scope(), [part(b"1234567890", True), part(b"1", True)], 413),  # chunks, without a length
        (scope(), [part(b"1", True)], 408),
        (scope(content_type="image/jpeg"), [], 415),
        ({"method": "POST", "headers": []}, [], 415),
        (scope(content_encoding="gzip"), [], 415),
    ],
)
def test_a_body_that_is_refused(given: Any, messages: list[Any], status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        read(given, *messages, seconds=0.05)
    assert caught.value.status == status


def test_a_body_of_very_many_lists() -> None:
    many = b"[" * 60_000 + b"{" * 40_000
    assert read(scope(), part(many), most=200_000) == many
    with pytest.raises(RefusedError, match="more than 100,000 lists: send fewer") as caught:
        read(scope(), part(many, True), part(b"["), most=200_000)
    assert caught.value.status == 413


def test_a_client_that_leaves() -> None:
    with pytest.raises(ClientGoneError):
        read(scope(), part(b"1", True), {"type": "http.disconnect"})


def test_the_body_is_given_again_and_then_what_follows() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def work() -> list[Any]:
        again = replayed(b"123", receive)
        return [await again(), await again()]

    first, second = asyncio.run(work())
    assert (first["body"], first["more_body"], second["type"]) == (b"123", False, "http.disconnect")
