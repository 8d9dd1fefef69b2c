from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.audit_log import AuditLog, audit_path, current_user, damaged_lines
from tests.gallery.made_up_galleries import features, filled


def test_lines_of_several_writers(tmp_path: Path) -> None:
    first, second = (AuditLog(tmp_path / "log", user) for user in ("eva", "bär"))
    first.write("search", {"rows": [1, 2]})
    second.write("export", {"filter": {}})
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["user"], line["action"]) for line in lines] == [("eva", "search"), ("bär", "export")]
    assert damaged_lines(tmp_path / "log") == []
    assert damaged_lines(tmp_path / "none") == []
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0  # not for everybody


def test_a_changed_line_and_half_a_line_are_found(tmp_path: Path) -> None:
    path = audit_path(tmp_path / "people.db")
    filled(tmp_path / "people.db", 3)
    log = AuditLog(path, "eva")
    for number in range(3):
        log.write("search", {"rows": [number]})
    text = path.read_text().splitlines(keepends=True)
    path.write_text(text[0] + text[1].replace("eva", "tom") + text[2][:30])
    log.write("search", {"rows": [3]})  # begins a line of its own
    assert damaged_lines(path) == [2, 3]
    assert len(path.read_text().splitlines()) == 4
    with Gallery(tmp_path / "people.db", "r") as gallery:
        assert gallery.verify().problems == [f"audit log {path}: damaged lines [2, 3]"]
        assert len(gallery.search(features(1))[0]) == 3
    path.write_bytes(b"\xff\xfe\n[]\n3\n{}\n")
    assert damaged_lines(path) == [1, 2, 3, 4]


def test_another_user_of_one_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", "eva")
    log.write("search", {}, "tom")
    log.write("search", {})
    users = [json.loads(line)["user"] for line in (tmp_path / "log").read_text().splitlines()]
    assert users == ["tom", "eva"]
    assert damaged_lines(tmp_path / "log") == []


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(getpass, "getuser", fail)
    assert current_user().startswith(("user ", "unknown"))
