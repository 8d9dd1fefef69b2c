from __future__ import annotations

import os
from pathlib import Path

import pytest

from reid_gl.untrusted.json_files import read_json_object


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": [1, {"b": null}]}')
    assert read_json_object(tmp_path / "a.json", advice="") == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a.json is not JSON \(Expecting value.*\): make it again"),
        (b'{"a": "\xff"}', r"a.json is not JSON \(.*utf-8.*\): make it again"),
        (b'{"a": 1', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not JSON"),
        (b"9" * 10_000, "is not JSON"),
        (b"[1, 2]", "a.json is not a JSON object but a list: make it again"),
        (b"null", "not a JSON object but a NoneType"),
        (b" " * 101, "more than the limit of 100"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    limit = 100 if content == b" " * 101 else 10**7
    with pytest.raises(ValueError, match=message) as caught:
        read_json_object(tmp_path / "a.json", advice="make it again", max_bytes=limit)
    assert "\n" not in str(caught.value)


def test_pipes_and_missing_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is not a file but a pipe"):
        read_json_object(tmp_path / "pipe", advice="")
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / "nowhere", advice="")
