from __future__ import annotations

import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.browse.browser import Browser
from reid_gl.gallery.browse.labels import Labels
from reid_gl.gallery.browse.server import MAX_IMAGE_BYTES, BrowseServer
from reid_gl.gallery.browse.stored_images import StoredImages

COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (190, 40, 30)]


def png(color: tuple[int, int, int]) -> bytes:
    return cv2.imencode(".png", np.full((40, 20, 3), color[::-1], np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowseServer]:
    """Four people in two cameras; the network is the mean colour."""
    folder = tmp_path_factory.mktemp("browse")
    for row, color in enumerate(COLORS, start=1):
        (folder / f"{row}.png").write_bytes(png(color))
    (folder / "secret.png").write_bytes(png((1, 2, 3)))
    places = [Sighting(camera=row % 2, time=100.0 * row, path=f"{row}.png") for row in range(1, 5)]
    with Gallery(folder / "people.db") as gallery:
        gallery.add(np.array(COLORS, np.float32), places)
    with Gallery(folder / "people.db", "r") as gallery:
        labels = Labels(folder / "labels.jsonl", "anna")
        browser = Browser(
            gallery, StoredImages(folder), labels, lambda image: image.mean(axis=(0, 1)).astype(np.float32)
        )
        with BrowseServer(browser) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield server
            server.shutdown()
            thread.join()


@pytest.fixture
def client(server: BrowseServer) -> urllib.request.OpenerDirector:
    """A browser that has opened the address with the token."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with opener.open(server.address) as answer:
        assert answer.url == f"http://127.0.0.1:{server.server_port}/"  # the token is out of the address
        assert b"<title>Gallery</title>" in answer.read()
    return opener


def ask(
    client: urllib.request.OpenerDirector, server: BrowseServer, path: str, data: bytes | None = None
) -> tuple[int, Any]:
    try:
        with client.open(f"http://127.0.0.1:{server.server_port}{path}", data=data) as answer:
            body = answer.read()
            kind = answer.headers["Content-Type"]
            return answer.status, json.loads(body) if kind == "application/json" else body
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def raw(server: BrowseServer, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """A request with exactly these headers, without a body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_from_a_row_to_labels(client: urllib.request.OpenerDirector, server: BrowseServer) -> None:
    assert ask(client, server, "/api/overview")[1]["rows"] == 4
    assert [row["row"] for row in ask(client, server, "/api/rows?camera=1")[1]] == [1, 3]
    status, answer = ask(client, server, "/api/search?row=1&count=2", b"")
    assert status == 200
    assert [match["row"] for match in answer["matches"]] == [4, 2]
    said = {"query": "row 1", "query_name": "", "row": 4, "value": "same"}
    assert ask(client, server, "/api/label", json.dumps(said).encode()) == (200, {})
    assert ask(client, server, "/api/search?row=1", b"")[1]["matches"][0]["label"] == "same"
    table = ask(client, server, "/labels.csv")[1].decode()
    assert table.splitlines()[1] == "row 1,1.png,4,4.png,-1,0,,,,,same"


def test_an_image_from_elsewhere(client: urllib.request.OpenerDirector, server: BrowseServer) -> None:
    status, answer = ask(client, server, "/api/search?name=lost%20child.png&camera=1", png((20, 20, 180)))
    assert status == 200
    assert answer["query"]["name"] == "lost child.png"
    assert [match["row"] for match in answer["matches"]] == [3, 1]
    status, answer = ask(client, server, "/api/search?name=a.txt", b"text")
    assert (status, answer["error"].split("(")[0]) == (400, "a.txt is not an image ")


def test_images_are_jpeg(client: urllib.request.OpenerDirector, server: BrowseServer) -> None:
    for kind in ("crop", "frame"):
        status, data = ask(client, server, f"/{kind}/2")
        assert status == 200
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (40, 20, 3)


def test_only_images_of_the_gallery_are_served(
    client: urllib.request.OpenerDirector, server: BrowseServer
) -> None:
    for path in (
        "/secret.png",
        "/crop/../secret.png",
        "/crop/%2e%2e%2fsecret.png",
        "/static/page.js",
        "/crop/",
    ):
        assert ask(client, server, path) == (404, {"error": "there is no such page"})
    assert ask(client, server, "/crop/77") == (404, {"error": "the gallery has no row 77"})


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/icon.svg", "/api/overview", "/crop/1", "/labels.csv", "/?token=guess"]
)
def test_nothing_is_shown_without_the_token(path: str, server: BrowseServer) -> None:
    host = {"Host": f"127.0.0.1:{server.server_port}"}
    status, text = raw(server, "GET", path, host)
    assert (status, "open the address that browse printed" in text) == (403, True)
    status, text = raw(server, "GET", path, {**host, "Cookie": f"reid_gl_{server.server_port}=guess"})
    assert status == 403


def test_other_names_of_the_address_and_other_sites_are_refused(server: BrowseServer) -> None:
    cookie = {"Cookie": server.guard.cookie().split(";")[0]}
    own = {"Host": f"127.0.0.1:{server.server_port}", **cookie}
    assert raw(server, "GET", "/api/overview", own)[0] == 200
    for host in (f"evil.example:{server.server_port}", ""):
        status, text = raw(server, "GET", "/api/overview", {"Host": host, **cookie})
        assert (status, "answers to 127.0.0.1 and localhost only" in text) == (403, True)
        assert raw(server, "GET", f"/?token={server.guard.token}", {"Host": host})[0] == 403
    status, text = raw(server, "POST", "/api/search?row=1", {**own, "Origin": "https://evil.example"})
    assert (status, "another web site" in text) == (403, True)


def test_the_size_of_a_request_is_limited(server: BrowseServer) -> None:
    own = {"Host": f"127.0.0.1:{server.server_port}", "Cookie": server.guard.cookie().split(";")[0]}
    status, text = raw(server, "POST", "/api/search", {**own, "Content-Length": str(MAX_IMAGE_BYTES + 1)})
    assert (status, "at most 25,000,000 are taken" in text) == (413, True)
    assert raw(server, "POST", "/api/label", {**own, "Content-Length": "10001"})[0] == 413
    assert raw(server, "POST", "/api/search?row=1", {**own, "Content-Length": "1"})[0] == 413
    for length in ({}, {"Content-Length": "-1"}, {"Content-Length": "2", "Transfer-Encoding": "chunked"}):
        assert raw(server, "POST", "/api/search", {**own, **length})[0] == 411


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("/api/search?row=one", b"", "row must be a whole number, got 'one'"),
        ("/api/search?row=1&count=900", b"", "count must be 1 to 200, got 900"),
        ("/api/rows?skip=-5", None, "skip is the number of rows to leave out, at least 0, got -5"),
        ("/api/label", b"{}", "a label needs query, query_name, row and value"),
        ("/api/label", b"[]", "a label needs query, query_name, row and value"),
        ("/api/label", b"{", "Expecting property name"),
        (
            "/api/label",
            b'{"query": "row 1", "query_name": "", "row": 2, "value": "maybe"}',
            "a label is one of same, different, removed",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    path: str, data: bytes | None, message: str, client: urllib.request.OpenerDirector, server: BrowseServer
) -> None:
    status, answer = ask(client, server, path, data)
    assert status == 400
    assert message in answer["error"]


def test_the_headers_keep_other_sites_out(
    client: urllib.request.OpenerDirector, server: BrowseServer
) -> None:
    with client.open(f"http://127.0.0.1:{server.server_port}/") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_other_machines_cannot_connect(server: BrowseServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_client_that_goes_away_does_no_harm(
    client: urllib.request.OpenerDirector, server: BrowseServer, capfd: pytest.CaptureFixture[str]
) -> None:
    cookie = server.guard.cookie().split(";")[0]
    with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
        lines = f"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nCookie: {cookie}\r\n"
        connection.sendall(f"{lines}Content-Length: 1000\r\n\r\nhalf".encode())
    assert ask(client, server, "/api/overview")[0] == 200
    assert "Traceback" not in capfd.readouterr().err
