"""What survives a kill and a full disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reid_gl.gallery.engines.sqlite import sqlite_engine
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Addition
from reid_gl.gallery.interface.sightings import unit_features
from tests.gallery.made_up_galleries import features, filled, sightings

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_nothing_acknowledged_is_lost_in_a_kill_or_on_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "tests/gallery/killed_writers.py", str(tmp_path), "6", "0"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    acknowledged, stored = map(int, answer.stdout.split())
    assert 0 < acknowledged <= stored


def test_a_reader_that_slept_too_long_reads_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_engine, "KEPT_VERSIONS", 2)
    path = tmp_path / "people.db"
    filled(path)
    query = unit_features("", features(1), None)
    writer, reader = SqliteEngine(path, "a"), SqliteEngine(path, "r")
    assert len(reader.search(query, 99, Condition()).rows) == 40
    for number in range(1, 11):
        writer.delete(Condition({"id": frozenset([number])}))
    assert sorted(reader.search(query, 99, Condition()).rows) == list(range(11, 41))
    writer.close()
    reader.close()


def test_rows_that_are_deleted_between_finding_and_reading_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    filled(path)
    engine = SqliteEngine(path, "a")
    (batch,) = engine.read(Condition({"id": frozenset([3, 4, 900])}))
    assert [row.id for row in batch] == [3, 4]
    assert engine.set_identity(Condition({"id": frozenset([900])}), 1) == 0
    engine.close()


def test_numbers_of_rows_come_as_numpys_whole_numbers_too(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "people.db", "a")
    ids = engine.add(Addition([(unit_features("", features(3), None), sightings(3))], 0.0))
    assert ids.tolist() == [1, 2, 3]
    assert engine.delete(Condition({"id": frozenset(ids[:2].tolist())})) == 2
    engine.close()
