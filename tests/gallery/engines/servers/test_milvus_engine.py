"""Milvus through its own client and a small server on this computer, beside the engine in one file."""

from __future__ import annotations

import importlib.util
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.engines.open_engine import milvus_place
from reid_gl.gallery.engines.servers import milvus_place as milvus_place_module
from reid_gl.gallery.engines.servers.milvus_engine import MilvusEngine
from reid_gl.gallery.engines.servers.milvus_place import connect_milvus, make_indexes
from tests.gallery.engines.servers.served_galleries import check_keys, check_reopening, check_same_answers
from tests.gallery.made_up_galleries import WIDTH, features, sightings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The beginning of a URI; the server is given one writer, because with two it loses rows in a kill."""
    if not (importlib.util.find_spec("pymilvus") and importlib.util.find_spec("milvus_lite")):
        pytest.skip("needs pymilvus and milvus-lite")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("milvus")
    program = Path(sys.executable).with_name("milvus-lite")
    words = [program, "server", "--data-dir", folder / "data", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"milvus://127.0.0.1:{port}"
        process.terminate()


def test_the_same_answers_as_from_a_file(server: str, tmp_path: Path) -> None:
    check_same_answers(f"{server}/same", tmp_path)


def test_an_addition_with_a_key_is_done_once(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MilvusEngine, "rows_at_once", 3)
    check_keys(f"{server}/keys", tmp_path, 3)


def test_an_approximate_index_with_its_parameters(server: str, tmp_path: Path) -> None:
    uri = f"{server}/graph?index=HNSW&build.M=16&build.efConstruction=100&search.ef=200"
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        gallery.add(features(300), sightings(300))
        assert gallery.recall(num_queries=20, k=10) > 0.9
    client = connect_milvus(milvus_place(uri), "")
    known = client.describe_index("graph", "vector")
    assert known["index_type"] == "HNSW"
    (vector,) = [index.to_dict() for index in make_indexes(milvus_place(uri)) if index.field_name == "vector"]
    assert (vector["M"], vector["efConstruction"]) == (16, 100)
    client.close()


def test_it_is_there_when_opened_again(server: str, tmp_path: Path) -> None:
    uri = f"{server}/again"
    with pytest.raises(FileNotFoundError, match=r"/again does not exist"):
        Gallery(uri, "r", audit_log=tmp_path / "log")
    check_reopening(uri, tmp_path)
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        parts = [(features(300), sightings(300)), (np.full((2, WIDTH), np.nan, np.float32), sightings(2))]
        before = gallery.stats().num_rows
        with pytest.raises(ValueError, match="NaN"):
            gallery.add_parts(parts)
        assert gallery.stats().num_rows == before


def test_damage_is_found(server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    uri = f"{server}/damaged"
    client = connect_milvus(milvus_place(uri), "")
    with Gallery(uri, audit_log=tmp_path / "log") as gallery:
        first, second = gallery.add(features(2), [Sighting(), Sighting()]).tolist()
        changed = {"id": first, "vector": features(1, seed=8)[0].tolist()}
        client.upsert("damaged", [changed], partial_update=True)
        report = gallery.verify()
        assert report.broken == {first: "the feature does not match its checksum"}
        assert report.num_rows == 1
        with caplog.at_level(logging.WARNING):
            assert [match.id for match in gallery.search(features(1))[0]] == [second]
        assert f"row {first} is left out" in caplog.text
        client.drop_collection("damaged")
        with pytest.raises(ConnectionError, match="the server refuses or does not answer"):
            gallery.search(features(1))
    client.close()


def test_a_server_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymilvus")
    monkeypatch.setattr(milvus_place_module, "CONNECT_SECONDS", 1.0)
    with pytest.raises(ConnectionError, match=r"http://127\.0\.0\.1:1/people cannot be reached within 1 sec"):
        Gallery("milvus://127.0.0.1:1/people", audit_log=tmp_path / "log")


def test_without_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ImportError, match=r"Milvus needs its client .*: pip install 'reid_gl\[milvus\]'"):
        Gallery("milvus://host/people", audit_log=tmp_path / "log")
