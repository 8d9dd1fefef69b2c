"""From the URI of a gallery to its engine."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from reid_gl.gallery.engine import Engine
from reid_gl.gallery.sqlite_engine import SqliteEngine
from reid_gl.gallery.sqlite_file import MODES

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters or more: C:\ is a folder of Windows
SQLITE = "sqlite"
SCHEMES = (SQLITE,)


def file_of(uri: str | Path) -> Path | None:
    """The file that a URI means; None if it means a server.

    Raises:
        ValueError: the URI names no engine that there is.
    """
    text = str(uri)
    found = SCHEME.match(text)
    if found is None or isinstance(uri, Path):
        if not text.strip():
            raise ValueError("the gallery has no name: give a file such as people.db")
        return Path(text)
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme != SQLITE:
        raise ValueError(
            f"unknown engine {scheme!r} in {text!r}: expected a file such as people.db, or one of "
            f"{', '.join(f'{name}:' for name in SCHEMES)}"
        )
    if not rest.strip("/"):
        raise ValueError(f"{text!r} names no file: write {SQLITE}:people.db or {SQLITE}:///folder/people.db")
    return Path(unquote(rest.removeprefix("//")))


def open_engine(uri: str | Path, mode: str) -> Engine:
    """Open a gallery.

    Args:
        uri: a file, or `sqlite:` and a file.
        mode: "r", "r+" or "a", see Gallery.

    Raises:
        ValueError: an unknown engine or mode; what the engine refuses.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}: expected one of {', '.join(MODES)}")
    path = file_of(uri)
    assert path is not None
    return SqliteEngine(path, mode)
