"""A service with a small network, on a loopback port, in a thread of the test's process."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve.guard import Guard
from reid_gl.serve.limits import Limits
from reid_gl.serve.run import listen, open_service, uvicorn_settings
from reid_gl.serve.tokens import Tokens

TOKEN = "a-token-for-tests-only"
OTHER_TOKEN = "another-token-for-tests"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        (name,) = self.json
        assert name == "error"
        return str(self.json[name])


class Client:
    """Calls a service at a port."""

    def __init__(self, port: int, token: str | None = TOKEN) -> None:
        self.port, self._token = port, token

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; a body that is no str, bytes or iterator becomes JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._token is not None:
            named.setdefault("authorization", f"Bearer {self._token}")
        if isinstance(body, dict | list):
            body = json.dumps(body)
        if body is not None:
            named.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, named, encode_chunked="transfer-encoding" in named)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            connection.close()

    def post(self, path: str, **fields: Any) -> Reply:
        return self.send("POST", path, fields)

    def get(self, path: str) -> Reply:
        return self.send("GET", path)


@contextmanager
def running(
    extractor: FeatureExtractor,
    gallery: Path,
    *,
    limits: Limits | None = None,
    read_only: bool = False,
    calibration: Calibration | None = None,
    batch_size: int = 64,
    app: Guard | None = None,
) -> Iterator[Client]:
    """Serve until the end of the block."""
    limits = limits or Limits()
    app = app or open_service(
        extractor,
        str(gallery),
        batch_size=batch_size,
        read_only=read_only,
        calibration=calibration,
        prior=None,
        audit_log=None,
        limits=limits,
        tokens=Tokens([("tests", TOKEN), ("others", OTHER_TOKEN)]),
    )
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn_settings(app, limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.005)
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
