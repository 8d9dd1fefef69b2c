"""Start the service, and stop it cleanly."""

from __future__ import annotations

import logging
import math
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import ip_address
from types import FrameType

import numpy as np
import uvicorn

from reid_gl.evaluation import search_gallery
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.gallery import Gallery
from reid_gl.gallery.engines.open_engine import file_of
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve.app import make_app
from reid_gl.serve.guard import Guard
from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.service import Service
from reid_gl.serve.tokens import Tokens

logger = logging.getLogger(__name__)

CONNECTIONS_PER_REQUEST = 4
"""Open connections for each request that may be in progress; more are answered 503 by uvicorn."""


def listen(host: str, port: int) -> socket.socket:
    """Open the port; 0 takes a free one.

    Raises:
        OSError: the address is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port} ({error.strerror or error}): name another --host or --port"
        ) from None
    # asyncio sets it only where the protocol is named; without it, every answer takes 40 ms longer
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not _is_loopback(listener.getsockname()[0]):
        logger.warning(
            "listening on %s: tokens and images cross the network unencrypted unless a proxy with TLS stands "
            "in front",
            host,
        )
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL of the service."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def open_service(
    extractor: FeatureExtractor,
    uri: str,
    *,
    batch_size: int,
    read_only: bool,
    calibration: Calibration | None,
    prior: float | None,
    audit_log: str | None,
    limits: Limits,
    tokens: Tokens,
) -> Guard:
    """Open the gallery and make the application; it closes the gallery when it stops.

    A gallery in a file is opened twice, to write and to read, so that a search does not wait for an addition.

    Args:
        extractor: the network.
        uri: see Gallery.
        batch_size: images of a batch.
        read_only: refuse additions, so that another process may write.
        calibration: see Gallery.
        prior: see Gallery.
        audit_log: see Gallery.
        limits: limits of the service.
        tokens: accepted tokens.

    Raises:
        ValueError: the gallery holds features of another dimension, or as Gallery.
    """
    metrics = Metrics()
    with ExitStack() as opened:
        open_gallery = partial(Gallery, uri, calibration=calibration, prior=prior, audit_log=audit_log)
        if read_only:
            reader, writer = opened.enter_context(open_gallery("r")), None
        else:
            writer = reader = opened.enter_context(open_gallery("a"))
            if file_of(uri) is not None:
                reader = opened.enter_context(open_gallery("r"))
        _check_dimension(reader, uri, extractor.embedding_dim)
        _warm_up(reader, extractor.embedding_dim)
        service = Service(
            extractor, batch_size=batch_size, reader=reader, writer=writer, limits=limits, metrics=metrics
        )
        opened.pop_all()  # the service closes them
    return make_app(
        service, tokens=tokens, limits=limits, metrics=metrics, deletes_old_rows=writer is not None
    )


def serve(app: Guard, listener: socket.socket, limits: Limits) -> int:
    """Serve until SIGTERM or SIGINT, then finish running requests and close the gallery.

    Returns:
        The number of the signal.
    """
    with _noted_signals() as noted:
        uvicorn.Server(uvicorn_settings(app, limits)).run(sockets=[listener])
    return noted[0] if noted else 0


def uvicorn_settings(app: Guard, limits: Limits) -> uvicorn.Config:
    """Return uvicorn's settings: no log of its own, no trust in headers that name other addresses."""
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_PER_REQUEST * limits.requests,
        timeout_graceful_shutdown=math.ceil(2 * limits.seconds),
    )


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Note the signals that uvicorn raises again after it has stopped; they would end the process."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_dimension(gallery: Gallery, uri: str, dimension: int) -> None:
    expected = gallery.stats().dimension
    if expected not in (None, dimension):
        raise ValueError(
            f"gallery {uri} holds features of {expected} numbers, this network makes {dimension}: use the "
            "network that filled it, or another gallery"
        )


def _warm_up(reader: Gallery, dimension: int) -> None:
    """Do now what would delay the first search: reading the gallery, and loading compiled code."""
    one = np.ones((1, dimension), np.float32)
    search_gallery(one, one, num_nearest=1)
    reader.search(one[:0], reason="the service starts and reads the gallery into memory")


def _is_loopback(host: str) -> bool:
    return ip_address(host.partition("%")[0]).is_loopback
