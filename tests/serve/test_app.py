from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from reid_gl.gallery import Gallery, Sighting
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.serve import app as module
from reid_gl.serve.app import make_app
from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.tokens import Tokens
from tests.serve.conftest import MeanColor
from tests.serve.encoded import person
from tests.serve.running_service import TOKEN, running
from tests.serve.test_routes import wait_for


def test_an_error_inside_is_one_sentence_and_reaches_the_log(
    extractor: FeatureExtractor,
    network: MeanColor,
    gallery: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(extractor, gallery) as client:
        monkeypatch.setattr(network, "gate", None)
        reply = client.post("/features", image=person())
        assert (reply.status, reply.error) == (500, "the service failed: its log says why")
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert "'NoneType' object has no attribute 'wait'" in caplog.text


def test_old_rows_are_deleted_by_and_by(
    extractor: FeatureExtractor, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETENTION_SECONDS", 0.05)
    with Gallery(gallery) as writer:
        writer.keep_for(3_600)
        writer.add(np.eye(3, dtype=np.float32), [Sighting(time=1e9)] * 3)
    with running(extractor, gallery), Gallery(gallery, "r") as reader:
        wait_for(lambda: reader.stats().num_rows == 0)
        assert reader.stats().num_rows == 0


def test_retention_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("reid_gl").propagate = True
    monkeypatch.setattr(module, "RETENTION_SECONDS", 0.01)
    calls: list[float] = []
    closed: list[int] = []

    async def apply_retention(deadline: float) -> int:
        calls.append(deadline)
        if len(calls) == 1:
            raise OSError("the disk is full")
        return 3

    async def live(deletes_old_rows: bool) -> None:
        service: Any = SimpleNamespace(apply_retention=apply_retention, close=lambda: closed.append(1))
        app: Any = make_app(
            service,
            tokens=Tokens([("tests", TOKEN)]),
            limits=Limits(),
            metrics=Metrics(),
            deletes_old_rows=deletes_old_rows,
        )
        messages: asyncio.Queue[Any] = asyncio.Queue()
        sent: asyncio.Queue[Any] = asyncio.Queue()
        await messages.put({"type": "lifespan.startup"})
        running = asyncio.create_task(app({"type": "lifespan", "state": {}}, messages.get, sent.put))
        assert (await sent.get())["type"] == "lifespan.startup.complete"
        await asyncio.sleep(0.1)
        await messages.put({"type": "lifespan.shutdown"})
        assert (await sent.get())["type"] == "lifespan.shutdown.complete"
        await running

    with caplog.at_level(logging.INFO, "reid_gl"):
        asyncio.run(live(True))
    assert len(calls) > 1
    assert "old rows could not be deleted: the disk is full" in caplog.text
    assert "deleted 3 old rows" in caplog.text
    assert closed == [1]
    calls.clear()
    asyncio.run(live(False))
    assert not calls
