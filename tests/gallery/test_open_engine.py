from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.open_engine import file_of


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("people.db", "people.db"),
        ("sqlite:people.db", "people.db"),
        ("sqlite:///data/people.db", "/data/people.db"),
        ("SQLite:a%20b.db", "a b.db"),
        ("C:\\people.db", "C:\\people.db"),
        (Path("sqlite:people.db"), "sqlite:people.db"),
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
    ],
)
def test_what_names_no_gallery(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gallery(uri)


def test_an_unknown_mode(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown mode 'w': expected one of r, r\+, a"):
        Gallery(tmp_path / "people.db", "w")
