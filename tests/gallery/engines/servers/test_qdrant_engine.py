"""Qdrant through its own client, which keeps a collection in this process, beside the engine in one file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.engines import open_engine
from reid_gl.gallery.engines.servers import qdrant_engine
from tests.gallery.engines.servers.served_galleries import check_keys, check_reopening, check_same_answers
from tests.gallery.made_up_galleries import WIDTH, features, sightings

URI = "qdrant://server:6333/people?shards=2&replicas=1"
pytestmark = pytest.mark.filterwarnings("ignore:.*[Ll]ocal.*:UserWarning")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client that answers every URI, and stays open when a gallery is closed."""
    module = pytest.importorskip("qdrant_client")
    client = module.QdrantClient(":memory:")
    monkeypatch.setattr(open_engine, "connect", lambda place: client)
    close = client.close
    monkeypatch.setattr(client, "close", lambda: None)
    yield client
    close()


def test_the_same_answers_as_from_a_file(client: Any, tmp_path: Path) -> None:
    check_same_answers(URI, tmp_path)


def test_an_addition_with_a_key_is_done_once(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdrant_engine.QdrantEngine, "rows_at_once", 3)
    check_keys(URI, tmp_path, 3)


def test_it_is_there_when_opened_again(client: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"http://server:6333/people does not exist"):
        Gallery(URI, "r", audit_log=tmp_path / "log")
    check_reopening(URI, tmp_path)


def test_a_part_that_is_wrong_takes_the_others_with_it(client: Any, tmp_path: Path) -> None:
    with Gallery(URI, audit_log=tmp_path / "log") as gallery:
        gallery.add(features(2), sightings(2))
        parts = [(features(300), sightings(300)), (np.full((2, WIDTH), np.nan, np.float32), sightings(2))]
        with pytest.raises(ValueError, match="NaN"):
            gallery.add_parts(parts)
        assert gallery.stats().num_rows == 2


def test_damage_and_points_of_others(client: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from qdrant_client import models

    with Gallery(URI, audit_log=tmp_path / "log") as gallery:
        first, second = gallery.add(features(2), sightings(2)).tolist()
        client.update_vectors(
            "people", points=[models.PointVectors(id=first, vector=features(1, seed=8)[0].tolist())]
        )
        client.upsert("people", points=[models.PointStruct(id=7, vector=[1.0] * WIDTH, payload={"a": 1})])
        report = gallery.verify()
        assert (report.num_rows, sorted(report.broken)) == (1, sorted([7, first]))
        assert report.broken[first] == "the feature does not match its checksum"
        assert "is not a row of a gallery (KeyError: 'camera')" in report.broken[7]
        with caplog.at_level(logging.WARNING):
            assert [match.id for match in gallery.search(features(1))[0]] == [second]
        assert "row 7 is left out" in caplog.text


def test_a_server_that_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("qdrant_client")
    waited: list[float] = []
    monkeypatch.setattr(qdrant_engine.time, "sleep", waited.append)
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1/people cannot be reached after 4 attempts"):
        Gallery("qdrant://127.0.0.1:1/people", audit_log=tmp_path / "log")
    assert waited == [0.5, 1.0, 2.0]


def test_without_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(ImportError, match=r"Qdrant needs its client .*: pip install 'reid_gl\[gallery\]'"):
        Gallery(URI, audit_log=tmp_path / "log")
    with pytest.raises(
        ValueError, match="is not a file, so it has no default audit log: name one with audit_log"
    ):
        Gallery(URI)
