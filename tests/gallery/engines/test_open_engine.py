from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.engines.ivf.ivf_settings import IvfSettings
from reid_gl.gallery.engines.open_engine import file_of, ivf_settings, milvus_place, qdrant_place
from reid_gl.gallery.engines.servers.milvus_place import MilvusPlace
from reid_gl.gallery.engines.servers.qdrant_points import QdrantPlace


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("people.db", "people.db"),
        ("sqlite:people.db", "people.db"),
        ("sqlite:///data/people.db", "/data/people.db"),
        ("SQLite:a%20b.db", "a b.db"),
        ("C:\\people.db", "C:\\people.db"),
        (Path("sqlite:people.db"), "sqlite:people.db"),
        ("faiss:people.db", "people.db"),
        ("faiss:///data/people.db?lists=64&probes=8", "/data/people.db"),
        ("./redis:people.db", "./redis:people.db"),
    ],
)
def test_the_file_that_is_meant(uri: str | Path, file: str) -> None:
    assert file_of(uri) == Path(file)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("redis://localhost/people", "unknown engine 'redis' in 'redis://localhost/people': expected a file"),
        ("sqlite:", "'sqlite:' names no file"),
        ("sqlite://", "'sqlite://' names no file"),
        (" ", "the gallery has no name"),
        ("faiss:?lists=4", "names no file: write faiss:people.db"),
        ("faiss:people.db?list=4", "unknown list; expected lists, bytes, probes, candidates or train_at"),
        ("faiss:people.db?lists=0", "lists must be a whole number from 1, got '0'"),
        ("faiss:people.db?probes=", "probes must be a whole number from 1, got ''"),
    ],
)
def test_what_names_no_gallery(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gallery(uri)


def test_a_collection_of_milvus() -> None:
    assert milvus_place("milvus://host/people") == MilvusPlace("http://host:19530", "people")
    uri = "milvuss://host:443/p_1?shards=2&index=HNSW&build.M=32&build.efConstruction=200&search.ef=99"
    assert milvus_place(uri) == MilvusPlace(
        "https://host:443", "p_1", 2, "HNSW", {"M": 32, "efConstruction": 200}, {"ef": 99}
    )


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("milvus://host", "write milvus://localhost:19530/people; a key goes .*, as MILVUS_TOKEN"),
        ("milvus://host/my-people", "named with letters, digits and underscores"),
        ("milvus://host/people?ef=3", "unknown ef; expected shards, index, build.<parameter> or search"),
        ("milvus://host/people?search.=3", "unknown search.; expected"),
        ("milvus://host/people?search.ef=many", "search.ef must be a whole number from 1, got 'many'"),
        ("milvus://host/people?shards=0", "shards must be a whole number from 1"),
    ],
)
def test_a_collection_of_milvus_that_cannot_be(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        milvus_place(uri)


def test_an_unknown_mode(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown mode 'w': expected one of r, r\+, a"):
        Gallery(tmp_path / "people.db", "w")


def test_settings_of_an_index() -> None:
    assert ivf_settings("faiss:people.db") == IvfSettings()
    uri = "faiss:people.db?lists=64&bytes=32&probes=8&candidates=2&train_at=500"
    assert ivf_settings(uri) == IvfSettings(64, 32, 8, 2, 500)


def test_a_place_on_a_server() -> None:
    assert qdrant_place("qdrant://host/people") == QdrantPlace("http://host:6333", "people")
    place = qdrant_place("qdrants://host:80/a%20b?shards=3&replicas=2&exact=false")
    assert place == QdrantPlace("https://host:80", "a b", 3, 2, exact=False)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("qdrant://host", "names no server and collection: write qdrant://localhost:6333/people"),
        ("qdrant:///people", "names no server and collection"),
        ("qdrant://host/people/more", "names no server and collection"),
        ("qdrant://user:key@host/people", "a key goes into the environment, as QDRANT_API_KEY"),
        ("qdrant://host:many/people", "Port could not be cast"),
        ("qdrant://host/people?shard=2", "unknown shard; expected shards, replicas or exact"),
        ("qdrant://host/people?shards=0", "shards must be a whole number from 1"),
        ("qdrant://host/people?exact=yes", "exact must be true or false"),
    ],
)
def test_a_place_that_cannot_be(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        qdrant_place(uri)
