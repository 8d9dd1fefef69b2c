"""Open the engine for the URI of a gallery."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from reid_gl.gallery.engines.ivf.faiss_engine import FaissEngine
from reid_gl.gallery.engines.ivf.ivf_settings import IvfSettings
from reid_gl.gallery.engines.servers.milvus_engine import MilvusEngine
from reid_gl.gallery.engines.servers.milvus_place import EXACT, MilvusPlace, connect_milvus
from reid_gl.gallery.engines.servers.qdrant_engine import QdrantEngine
from reid_gl.gallery.engines.servers.qdrant_points import QdrantPlace, import_client
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.engines.sqlite.sqlite_file import MODES
from reid_gl.gallery.interface.engine import Engine

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters or more: C:\ is a Windows path
SQLITE = "sqlite"
FAISS = "faiss"
FAISS_OPTIONS = {
    "lists": "lists",
    "bytes": "code_bytes",
    "probes": "probes",
    "candidates": "candidates",
    "train_at": "train_at",
}
"""Options of a URI, and the fields of IvfSettings that they set."""
QDRANT = {"qdrant": "http", "qdrants": "https"}
MILVUS = {"milvus": "http", "milvuss": "https"}
SCHEMES = (SQLITE, FAISS, *QDRANT, *MILVUS)
KEY_VARIABLE, TOKEN_VARIABLE = "QDRANT_API_KEY", "MILVUS_TOKEN"
YES_OR_NO = {"true": True, "false": False}


def file_of(uri: str | Path) -> Path | None:
    """Return the file that a URI names; None if it names a server.

    Raises:
        ValueError: the URI names an unknown engine.
    """
    text = str(uri)
    scheme = scheme_of(uri)
    if not scheme:
        if not text.strip():
            raise ValueError("the gallery has no name: give a file such as people.db")
        return Path(text)
    if scheme in QDRANT or scheme in MILVUS:
        return None
    rest = text[len(scheme) + 1 :]
    if scheme == FAISS:
        rest = rest.partition("?")[0]
    if not rest.strip("/"):
        raise ValueError(f"{text!r} names no file: write {scheme}:people.db or {scheme}:///folder/people.db")
    return Path(unquote(rest.removeprefix("//")))


def scheme_of(uri: str | Path) -> str:
    """Return the engine that a URI names, "" for the path of a file.

    Raises:
        ValueError: the engine is unknown.
    """
    found = None if isinstance(uri, Path) else SCHEME.match(uri)
    if found is None:
        return ""
    scheme = found[1].lower()
    if scheme not in SCHEMES:
        raise ValueError(
            f"unknown engine {scheme!r} in {uri!r}: expected a file such as people.db, or one of "
            f"{', '.join(f'{name}:' for name in SCHEMES)}"
        )
    return scheme


def open_engine(uri: str | Path, mode: str) -> Engine:
    """Open a gallery.

    Args:
        uri: see Gallery.
        mode: "r", "r+" or "a", see Gallery.

    Raises:
        ValueError: the engine or mode is unknown, or as the engine.
        ImportError: the client of the engine is not installed.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}: expected one of {', '.join(MODES)}")
    path = file_of(uri)
    if path is not None:
        if scheme_of(uri) == FAISS:
            return FaissEngine(path, mode, ivf_settings(str(uri)))
        return SqliteEngine(path, mode)
    if scheme_of(uri) in MILVUS:
        served = milvus_place(str(uri))
        return MilvusEngine(connect_milvus(served, os.environ.get(TOKEN_VARIABLE, "")), served, mode)
    place = qdrant_place(str(uri))
    return QdrantEngine(connect(place), place, mode)


def qdrant_place(uri: str) -> QdrantPlace:
    """Parse a URI such as qdrant://host:6333/people?shards=3&replicas=2&exact=false.

    Raises:
        ValueError: the URI is incomplete, or has unknown options.
    """
    url, collection, query = _server(uri, QDRANT[scheme_of(uri)], 6333)
    asked = _asked(uri, query, ("shards", "replicas", "exact"))
    if asked.get("exact", "true") not in YES_OR_NO:
        raise ValueError(f"{uri!r}: exact must be true or false")
    return QdrantPlace(
        url,
        collection,
        **_numbers(uri, {name: value for name, value in asked.items() if name != "exact"}),
        exact=YES_OR_NO[asked.get("exact", "true")],
    )


def connect(place: QdrantPlace) -> Any:  # noqa: ANN401
    """Make a client of a server; its key is read from the environment, if there is one."""
    return import_client().QdrantClient(
        url=place.url, api_key=os.environ.get(KEY_VARIABLE), check_compatibility=False
    )


def ivf_settings(uri: str) -> IvfSettings:
    """Parse the options of a URI such as faiss:people.db?lists=4096&probes=64.

    Raises:
        ValueError: an option is unknown, or not a whole number from 1.
    """
    numbers = _numbers(uri, _asked(uri, uri.partition("?")[2], tuple(FAISS_OPTIONS)))
    return IvfSettings(**{FAISS_OPTIONS[name]: value for name, value in numbers.items()})


def milvus_place(uri: str) -> MilvusPlace:
    """Parse a URI such as milvus://host:19530/people?shards=2&index=HNSW&build.M=32&search.ef=256.

    Raises:
        ValueError: the URI is incomplete, or has unknown options.
    """
    url, collection, query = _server(uri, MILVUS[scheme_of(uri)], 19530)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", collection):
        raise ValueError(f"{uri!r}: a collection is named with letters, digits and underscores")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    index = asked.pop("index", EXACT)
    parameters: dict[str, dict[str, int]] = {"build": {}, "search": {}}
    for name in list(asked):
        kind, dot, parameter = name.partition(".")
        if dot and kind in parameters and parameter:
            parameters[kind] |= {parameter: _numbers(uri, {name: asked.pop(name)})[name]}
    if unknown := sorted(set(asked) - {"shards"}):
        raise ValueError(
            f"{uri!r}: unknown {', '.join(unknown)}; expected shards, index, build.<parameter> or "
            "search.<parameter>"
        )
    shards = _numbers(uri, asked).get("shards")
    return MilvusPlace(url, collection, shards, index, parameters["build"], parameters["search"])


def _server(uri: str, protocol: str, usual_port: int) -> tuple[str, str, str]:
    """Return the address of a server, the collection, and the options of a URI."""
    parts = urlsplit(uri)
    collection = unquote(parts.path.strip("/"))
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{uri!r}: {error}") from None
    if not parts.hostname or not collection or "/" in collection or parts.username:
        scheme = scheme_of(uri)
        variable = KEY_VARIABLE if scheme in QDRANT else TOKEN_VARIABLE
        raise ValueError(
            f"{uri!r} names no server and collection: write {scheme}://localhost:{usual_port}/people; "
            f"a key goes into the environment, as {variable}"
        )
    return f"{protocol}://{parts.hostname}:{port or usual_port}", collection, parts.query


def _asked(uri: str, query: str, names: Sequence[str]) -> dict[str, str]:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(asked) - set(names)):
        raise ValueError(
            f"{uri!r}: unknown {', '.join(unknown)}; expected {', '.join(names[:-1])} or {names[-1]}"
        )
    return asked


def _numbers(uri: str, asked: Mapping[str, str]) -> dict[str, int]:
    for name, value in asked.items():
        if not value.isdecimal() or not int(value):
            raise ValueError(f"{uri!r}: {name} must be a whole number from 1, got {value!r}")
    return {name: int(value) for name, value in asked.items()}
