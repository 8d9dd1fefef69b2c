from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from reid_gl.untrusted import sizes
from reid_gl.untrusted.matlab import read_matlab

KINDS: dict[str, Any] = {
    "single": np.arange(6, dtype=np.float32).reshape(2, 3),
    "complex": np.arange(3) * 1j,
    "flags": np.array([True, False]),
    "words": np.array(["a", "Zoë", ""], dtype=object),
    "text": "abc",
    "empty": np.zeros((0, 3)),
    "structs": np.array([("a.jpg", 1), ("b.jpg", 2)], dtype=[("file", "O"), ("class", "O")]),
    "nested": {"inner": {"cells": np.array([[1, "x"]], dtype=object)}},
}


@pytest.mark.parametrize("compressed", [False, True])
def test_whatever_scipy_writes_is_read_as_scipy_reads_it(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, KINDS, do_compression=compressed)
    found = read_matlab(path, [*KINDS, "missing"])
    assert list(found) == list(KINDS)
    expected = loadmat(path)
    assert all(repr(found[name]) == repr(expected[name]) for name in KINDS)
    assert read_matlab(path, ["text"], squeeze=True)["text"] == "abc"


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_end_in_a_sentence_and_never_the_process(tmp_path: Path, compressed: bool) -> None:
    file = io.BytesIO()
    savemat(file, KINDS, do_compression=compressed)
    whole, path = file.getvalue(), tmp_path / "a.mat"
    rng = np.random.default_rng(0)
    messages = []
    for _ in range(300):
        data = bytearray(whole)
        place = int(rng.integers(120, len(data) - 8))
        data[place : place + 8] = rng.choice([bytes(8), b"\xff" * 8, rng.bytes(8), b"\x0e" + bytes(7)])
        path.write_bytes(bytes(data))
        try:
            read_matlab(path, list(KINDS))
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 100
    start = f"{path} cannot be read as a MATLAB file: "
    assert all(message.startswith(start) and "\n" not in message for message in messages)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({"a": np.eye(3)}, {"format": "4"}, "expected version 5 to 7, which MATLAB writes with -v7"),
        ({"a": csc_array(np.eye(3))}, {}, "it holds a sparse matrix: save it full"),
    ],
)
def test_what_is_not_read(tmp_path: Path, values: dict[str, Any], options: Any, message: str) -> None:
    savemat(tmp_path / "a.mat", values, **options)
    with pytest.raises(ValueError, match=message):
        read_matlab(tmp_path / "a.mat", ["a"])


def test_other_variables_may_be_anything(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"a": np.eye(2), "odd": csc_array(np.eye(3))})
    assert read_matlab(tmp_path / "a.mat", ["a"])["a"].tolist() == [[1, 0], [0, 1]]


def test_what_unpacks_to_far_more_than_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "SMALL", 1000)
    savemat(tmp_path / "a.mat", {"a": np.zeros((300, 300))}, do_compression=True)
    with pytest.raises(ValueError, match="unpack to more than"):
        read_matlab(tmp_path / "a.mat", ["a"])
