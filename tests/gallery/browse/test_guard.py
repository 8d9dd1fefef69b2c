from __future__ import annotations

import pytest

from reid_gl.gallery.browse.guard import Guard

GUARD = Guard(8123)


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1:8123", True),
        ("localhost:8123", True),
        ("127.0.0.1", False),
        ("127.0.0.1:80", False),
        ("evil.example:8123", False),  # a name that was made to lead to the loopback address
        ("localhost:8123.evil.example", False),
        (None, False),
    ],
)
def test_hosts(host: str | None, is_own: bool) -> None:
    assert GUARD.is_own_host(host) == is_own


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        (None, True),
        ("http://127.0.0.1:8123", True),
        ("https://evil.example", False),
        ("http://127.0.0.1:3000", False),
        ("null", False),
    ],
)
def test_origins(origin: str | None, is_own: bool) -> None:
    assert GUARD.is_own_origin(origin) == is_own


def test_the_token_moves_into_a_cookie() -> None:
    assert len(GUARD.token) > 40
    assert GUARD.token != Guard(8123).token
    assert GUARD.is_token(GUARD.token)
    assert not GUARD.is_token("")
    assert not GUARD.is_token("ä")
    pair, *attributes = GUARD.cookie().split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)
    assert GUARD.has_cookie(f"other=1; {pair}")
    assert not GUARD.has_cookie(Guard(8124).cookie())
    assert not GUARD.has_cookie("reid_gl_8123=guess")
    assert not GUARD.has_cookie("[]=;;")
    assert not GUARD.has_cookie(None)
