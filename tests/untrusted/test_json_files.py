from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reid_gl.untrusted.json_files import parse_json, read_json_object, what_is_wrong


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": [1, {"b": null}]}')
    assert read_json_object(tmp_path / "a.json", advice="") == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a.json is not JSON \(wrong in line 1, column 1\): make it again"),
        (b'{"a": "\xff"}', r"a.json is not JSON \(no UTF-8 text\): make it again"),
        (b'{"a": 1', "is not JSON"),
        (b"[" * 100_000, r"is not JSON \(nested too deeply\)"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not JSON"),
        (b"9" * 10_000, r"is not JSON \(a number in it is too large\)"),
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


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (lambda: {}["mean"], "it lacks 'mean'"),
        (lambda: int("x"), "a value in it is of another kind than expected"),
        (lambda: int([]), "a value in it is of another kind than expected"),
        (lambda: dict([1]), "a value in it is of another kind than expected"),
        (lambda: int(float("inf")), "a number in it is too large"),
        (lambda: parse_json("[", "it", advice="help"), "it is not JSON (wrong in line 1, column 2): help"),
    ],
)
def test_reasons_are_plain_words(use: Callable[[], object], reason: str) -> None:
    with pytest.raises((ValueError, TypeError, LookupError, OverflowError)) as caught:
        use()
    assert what_is_wrong(caught.value) == reason
