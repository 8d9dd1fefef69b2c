from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from reid_gl.gallery import Gallery, Sighting
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve.limits import Limits
from reid_gl.serve.run import address_of, listen, open_service, serve, uvicorn_settings
from reid_gl.serve.tokens import Tokens
from tests.serve.running_service import TOKEN, Client

TOKENS = Tokens([("tests", TOKEN)])


def opened(extractor: FeatureExtractor, gallery: Path, **others: object) -> object:
    given = {"batch_size": 4, "read_only": False, "calibration": None, "prior": None, "audit_log": None}
    return open_service(extractor, str(gallery), limits=Limits(), tokens=TOKENS, **{**given, **others})  # type: ignore[arg-type]


def test_a_port_and_its_address() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # connections inherit it
        host, port = listener.getsockname()
        assert (host, address_of(listener)) == ("127.0.0.1", f"http://127.0.0.1:{port}")
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {port} .*name another --host"):
            listen("127.0.0.1", port)
    with pytest.raises(OSError, match=r"cannot listen on 203\.0\.113\.1"):
        listen("203.0.113.1", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_ipv6() -> None:
    try:
        listener = listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        assert address_of(listener).startswith("http://[::1]:")


def test_other_addresses_than_loopback_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("reid_gl").propagate = True
    listen("127.0.0.1", 0).close()
    assert not caplog.text
    listen("0.0.0.0", 0).close()
    assert "cross the network unencrypted unless a proxy with TLS" in caplog.text


def test_what_cannot_be_opened_leaves_the_gallery_free(extractor: FeatureExtractor, gallery: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        opened(extractor, gallery, read_only=True)
    with pytest.raises(ValueError, match="a prior is for probabilities"):
        opened(extractor, gallery, prior=0.1)
    with Gallery(gallery) as writer:
        writer.add(np.ones((1, 4), np.float32), [Sighting()])
    with pytest.raises(ValueError, match="holds features of 4 numbers, this network makes 3"):
        opened(extractor, gallery)
    Gallery(gallery).close()


def test_uvicorn_trusts_no_header_and_writes_no_log_of_its_own() -> None:
    config = uvicorn_settings(None, Limits(requests=3, seconds=0.4))  # type: ignore[arg-type]
    assert not config.proxy_headers
    assert not config.access_log
    assert not config.server_header
    assert config.log_config is None
    assert (config.limit_concurrency, config.timeout_graceful_shutdown) == (12, 1)


def test_a_signal_ends_it_after_running_requests(extractor: FeatureExtractor, gallery: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    app = opened(extractor, gallery)
    statuses: list[int] = []

    def visit(port: int) -> None:
        client = Client(port)
        while not statuses:
            try:
                statuses.append(client.get("/health").status)
            except OSError:
                time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=visit, args=(listener.getsockname()[1],))
        thread.start()
        number = serve(app, listener, Limits())  # type: ignore[arg-type]
        thread.join()
    assert (number, statuses) == (signal.SIGTERM, [200])
    assert signal.getsignal(signal.SIGTERM) is before
    Gallery(gallery).close()  # nobody has it open any more
