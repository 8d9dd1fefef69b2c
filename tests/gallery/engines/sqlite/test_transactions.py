from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.engines.sqlite import sqlite_file
from reid_gl.gallery.engines.sqlite.transactions import transaction
from tests.gallery.made_up_galleries import features, filled, sightings


def test_a_file_that_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a program that knows nothing of our lock."""
    monkeypatch.setattr(sqlite_file._connect, "__kwdefaults__", {"wait": 0.05})
    path = tmp_path / "people.db"
    filled(path, 3)
    with Gallery(path, "r") as reader, Gallery(path) as writer, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for act in (
            lambda: reader.search(features(1)),
            lambda: writer.add(features(1), sightings(1)),
            lambda: Gallery(path, "r"),
        ):
            with pytest.raises(TimeoutError, match="is busy: another program has kept it locked"):
                act()
        other.execute("ROLLBACK")
        assert len(reader.search(features(1))[0]) == 3
        assert writer.add(features(1), sightings(1)).tolist() == [4]


def test_what_fails_inside_is_undone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE numbers (value INTEGER)")

        def fail() -> None:
            with transaction(connection, tmp_path / "a.db", writes=True):
                connection.execute("INSERT INTO numbers VALUES (1)")
                raise KeyError("reason")

        with pytest.raises(KeyError, match="reason"):
            fail()
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
        with transaction(connection, tmp_path / "a.db", writes=True):
            connection.execute("INSERT INTO numbers VALUES (2)")
        with transaction(connection, tmp_path / "a.db", writes=False):
            assert connection.execute("SELECT * FROM numbers").fetchall() == [(2,)]
        with (
            pytest.raises(OSError, match="nothing of this call was stored"),
            transaction(connection, tmp_path / "a.db", writes=True),
        ):
            connection.execute("INSERT INTO nowhere VALUES (2)")
