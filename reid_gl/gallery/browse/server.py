"""The web server of `reid-gl browse`, for one user on the same machine."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from reid_gl.gallery.browse.browser import MAX_MATCHES, NUM_MATCHES, Browser, Choice
from reid_gl.gallery.browse.guard import LOOPBACK, Guard

logger = logging.getLogger(__name__)

MAX_IMAGE_BYTES = 25_000_000
MAX_JSON_BYTES = 10_000
SECONDS_TO_SEND = 20
"""Seconds that a client may be silent within a request."""
STATIC = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js", "/icon.svg": "icon.svg"}
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
NOT_ALLOWED = "open the address that browse printed at its start: it has the token"


class RequestError(Exception):
    """A request that is refused: HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class BrowseServer(ThreadingHTTPServer):
    """Serves one gallery on the loopback address.

    Args:
        browser: answers the requests.
        port: port to listen on; 0 takes a free one.

    Raises:
        OSError: the port is in use.
    """

    daemon_threads = True

    def __init__(self, browser: Browser, port: int = 0) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.browser, self.guard = browser, Guard(self.server_port)

    @property
    def address(self) -> str:
        """The address to open, with the token."""
        return f"http://{LOOPBACK}:{self.server_port}/?token={self.guard.token}"


class _Handler(BaseHTTPRequestHandler):
    server: BrowseServer
    timeout = SECONDS_TO_SEND
    server_version, sys_version = "reid_gl", ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)

    def _answer(self, act: Callable[[str, dict[str, str]], None]) -> None:
        """Check who asks, act, and turn errors into one sentence; without anybody who listens do nothing."""
        with contextlib.suppress(ConnectionError):
            self._act_or_refuse(act)

    def _act_or_refuse(self, act: Callable[[str, dict[str, str]], None]) -> None:
        try:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            guard = self.server.guard
            if not guard.is_own_host(self.headers.get("Host")):
                raise RequestError(403, "this server answers to 127.0.0.1 and localhost only")
            if not guard.is_own_origin(self.headers.get("Origin")):
                raise RequestError(403, "another web site sent this request")
            if self.command == "GET" and parts.path == "/" and guard.is_token(query.get("token", "")):
                self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": guard.cookie()})
                return
            if not guard.has_cookie(self.headers.get("Cookie")):
                raise RequestError(403, NOT_ALLOWED)
            act(parts.path, query)
        except RequestError as error:
            self._send_json({"error": str(error)}, error.status)
        except ConnectionError:
            raise
        except FileNotFoundError as error:
            self._send_json({"error": str(error)}, 404)
        except (ValueError, TypeError, OSError) as error:
            self._send_json({"error": str(error)}, 400)

    def _get(self, path: str, query: dict[str, str]) -> None:
        browser = self.server.browser
        if path in STATIC:
            name = STATIC[path]
            data = resources.files(__package__).joinpath("static").joinpath(name).read_bytes()
            self._send(200, data, KINDS[name.rpartition(".")[2]])
        elif found := re.fullmatch(r"/(crop|frame)/(\d{1,19})", path):
            read = browser.crop if found[1] == "crop" else browser.frame
            self._send(200, read(int(found[2])), "image/jpeg", {"Cache-Control": "private, max-age=3600"})
        elif path == "/api/overview":
            self._send_json(browser.overview())
        elif path == "/api/rows":
            camera = _number(query, "camera", None)
            self._send_json(browser.rows(camera=camera, skip=_number(query, "skip", 0) or 0))
        elif path == "/labels.csv":
            saved = {"Content-Disposition": 'attachment; filename="labels.csv"'}
            self._send(
                200, browser.labels.to_csv().encode("utf-8", "replace"), "text/csv; charset=utf-8", saved
            )
        else:
            raise RequestError(404, "there is no such page")

    def _post(self, path: str, query: dict[str, str]) -> None:
        browser = self.server.browser
        if path == "/api/search":
            row = _number(query, "row", None)
            data = self._body(MAX_IMAGE_BYTES if row is None else 0)
            choice = _choice(query)
            name = unquote(query.get("name", ""))[:200]
            self._send_json(
                browser.search_image(data, name, choice) if row is None else browser.search_row(row, choice)
            )
        elif path == "/api/label":
            said = json.loads(self._body(MAX_JSON_BYTES))
            try:
                words = {key: str(said[key]) for key in ("query", "query_name", "value")}
                browser.label(row=int(said["row"]), **words)
            except (KeyError, TypeError, AttributeError):
                raise RequestError(400, "a label needs query, query_name, row and value") from None
            self._send_json({})
        else:
            raise RequestError(404, "there is no such page")

    def _body(self, most: int) -> bytes:
        """Read the body of the request.

        Raises:
            RequestError: its length is unknown or too large.
        """
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,12}", length) or "Transfer-Encoding" in self.headers:
            raise RequestError(411, "the request does not say how long it is")
        if int(length) > most:
            raise RequestError(413, f"the request has {int(length):,} bytes, at most {most:,} are taken")
        return self.rfile.read(int(length))

    def _send_json(self, answer: Any, status: int = 200) -> None:  # noqa: ANN401
        self._send(status, json.dumps(answer).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        shown = {**HEADERS, "Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
        for name, value in shown.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _number(query: dict[str, str], name: str, default: int | None) -> int | None:
    word = query.get(name)
    if word is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", word):
        raise RequestError(400, f"{name} must be a whole number, got {word[:80]!r}")
    return int(word)


def _choice(query: dict[str, str]) -> Choice:
    count = _number(query, "count", NUM_MATCHES) or NUM_MATCHES
    if not 1 <= count <= MAX_MATCHES:
        raise RequestError(400, f"count must be 1 to {MAX_MATCHES}, got {count}")
    camera = _number(query, "camera", None)
    return Choice(count, () if camera is None else (camera,))
