from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.turns import Turns


def test_a_process_that_was_forked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(SqliteEngine(tmp_path / "people.db", "a"))
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: -1)
        with (
            pytest.raises(RuntimeError, match=r"people\.db was opened before this process was forked"),
            turns.take(),
        ):
            pass
        turns.close()  # belongs to the other process
    with turns.take() as engine, turns.take() as again:
        assert engine is again
        assert engine.stats().num_rows == 0
    turns.close()
