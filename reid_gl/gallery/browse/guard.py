"""Who may talk to the page: only the user's own browser, which has seen the token."""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

LOOPBACK = "127.0.0.1"


class Guard:
    """Checks the headers of requests.

    Another web site that the browser shows can send requests to the loopback address too. It does not know
    the token; its requests carry its own Origin; and if its name is made to lead to the loopback address (DNS
    rebinding), they carry that name as Host.

    Args:
        port: port of the server.

    Attributes:
        token: random words of the address that is printed at the start.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        self._cookie = f"reid_gl_{port}"  # browsers share cookies between the ports of a host

    def is_own_host(self, host: str | None) -> bool:
        """Return whether a Host header names this server."""
        return host in self._hosts

    def is_own_origin(self, origin: str | None) -> bool:
        """Return whether an Origin header, if there is one, is that of the page."""
        return origin is None or origin.removeprefix("http://") in self._hosts

    def is_token(self, word: str) -> bool:
        """Return whether this is the token."""
        return hmac.compare_digest(word.encode(), self.token.encode())

    def has_cookie(self, header: str | None) -> bool:
        """Return whether a Cookie header has the token."""
        try:
            morsel = SimpleCookie(header or "").get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self.is_token(morsel.value)

    def cookie(self) -> str:
        """Return the Set-Cookie header that moves the token from the address into a cookie."""
        return f"{self._cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
