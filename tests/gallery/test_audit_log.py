from __future__ import annotations

import getpass
import json
import os
from pathlib import Path

import pytest

from reid_gl.gallery import Gallery, audit_log
from reid_gl.gallery.audit_log import AuditLog, audit_path, current_user, damaged_lines, log_problems
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


@pytest.mark.parametrize("kind", ["pipe", "device", "link to nothing"])
def test_what_is_no_file_is_no_log(tmp_path: Path, kind: str) -> None:
    """A pipe would block, or lose the lines with its reader; a device loses them."""
    path = tmp_path / "log"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else tmp_path / "nowhere")
    with pytest.raises(OSError, match=f"cannot be written .*{kind}.*, and nothing is done without it"):
        AuditLog(path, "eva").write("search", {})
    (problem,) = log_problems(path)
    assert problem.startswith(f"audit log {path} is")
    assert problem.endswith(kind)


def test_long_and_nested_lines_are_damaged_and_read_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MAX_LINE_BYTES", 1_000)
    path = tmp_path / "log"
    AuditLog(path, "eva").write("search", {})
    whole = path.read_bytes()
    path.write_bytes(whole + b"{" * 5_000 + b"\n" + whole + b"[" * 900 + b"}\n" + bytes(2_500))
    assert damaged_lines(path) == [2, 4, 5]
    path.write_bytes(b"\n" * 25)
    assert log_problems(path)[0].endswith("19, 20] and 5 more")


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
