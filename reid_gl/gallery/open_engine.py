"""Open the engine for the URI of a gallery."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from reid_gl.gallery.engine import Engine
from reid_gl.gallery.qdrant_engine import QdrantEngine
from reid_gl.gallery.qdrant_points import QdrantPlace, import_client
from reid_gl.gallery.sqlite_engine import SqliteEngine
from reid_gl.gallery.sqlite_file import MODES

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters or more: C:\ is a Windows path
SQLITE = "sqlite"
QDRANT = {"qdrant": "http", "qdrants": "https"}
SCHEMES = (SQLITE, *QDRANT)
KEY_VARIABLE = "QDRANT_API_KEY"
EXAMPLE = "qdrant://localhost:6333/people"
YES_OR_NO = {"true": True, "false": False}


def file_of(uri: str | Path) -> Path | None:
    """Return the file that a URI names; None if it names a server.

    Raises:
        ValueError: the URI names an unknown engine.
    """
    text = str(uri)
    found = SCHEME.match(text)
    if found is None or isinstance(uri, Path):
        if not text.strip():
            raise ValueError("the gallery has no name: give a file such as people.db")
        return Path(text)
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme not in SCHEMES:
        raise ValueError(
            f"unknown engine {scheme!r} in {text!r}: expected a file such as people.db, or one of "
            f"{', '.join(f'{name}:' for name in SCHEMES)}"
        )
    if scheme in QDRANT:
        return None
    if not rest.strip("/"):
        raise ValueError(f"{text!r} names no file: write {SQLITE}:people.db or {SQLITE}:///folder/people.db")
    return Path(unquote(rest.removeprefix("//")))


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
        return SqliteEngine(path, mode)
    place = qdrant_place(str(uri))
    return QdrantEngine(connect(place), place, mode)


def qdrant_place(uri: str) -> QdrantPlace:
    """Parse a URI such as qdrant://host:6333/people?shards=3&replicas=2&exact=false.

    Raises:
        ValueError: the URI is incomplete, or has unknown options.
    """
    parts = urlsplit(uri)
    collection = unquote(parts.path.strip("/"))
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{uri!r}: {error}") from None
    if not parts.hostname or not collection or "/" in collection or parts.username:
        raise ValueError(
            f"{uri!r} names no server and collection: write {EXAMPLE}; a key goes into the "
            f"environment, as {KEY_VARIABLE}"
        )
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(asked) - {"shards", "replicas", "exact"}):
        raise ValueError(f"{uri!r}: unknown {', '.join(unknown)}; expected shards, replicas or exact")
    numbers = {name: asked[name] for name in ("shards", "replicas") if name in asked}
    if not all(value.isdigit() and int(value) for value in numbers.values()):
        raise ValueError(f"{uri!r}: shards and replicas must be whole numbers from 1")
    if asked.get("exact", "true") not in YES_OR_NO:
        raise ValueError(f"{uri!r}: exact must be true or false")
    return QdrantPlace(
        f"{QDRANT[parts.scheme]}://{parts.hostname}:{port or 6333}",
        collection,
        **{name: int(value) for name, value in numbers.items()},
        exact=YES_OR_NO[asked.get("exact", "true")],
    )


def connect(place: QdrantPlace) -> Any:  # noqa: ANN401
    """Make a client of a server; its key is read from the environment, if there is one."""
    return import_client().QdrantClient(
        url=place.url, api_key=os.environ.get(KEY_VARIABLE), check_compatibility=False
    )
