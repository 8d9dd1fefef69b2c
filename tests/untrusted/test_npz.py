from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reid_gl.untrusted import sizes
from reid_gl.untrusted.npz import read_npy, read_npz


def _write_header(path: Path, header: str, *, content: bytes = bytes(64)) -> Path:
    """An archive with one array "a" that has this header."""
    data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + content
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", data)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, compressed: bool) -> None:
    arrays = {
        "a": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "words": np.array(["query", "gallery"]),
        "one": np.array(7),
        "none": np.zeros((0, 3), np.float32),
    }
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    found = read_npz(tmp_path / "a.npz", [*arrays, "missing"])
    assert list(found) == list(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 100000)}", "declares float32"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, -4)}", "declares float32"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 0)}", "its numbers take 64 bytes"),
        ("{'descr': '<U1000000', 'fortran_order': False, 'shape': (6,)}", "its numbers take 64 bytes"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (8,)}", "holds Python objects"),
        ("(" * 3000 + ")" * 3000, "cannot be read as .npz"),
        ("nothing", "cannot be read as .npz"),
    ],
)
def test_a_header_that_declares_what_is_not_there(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^[^\n]*a\.npz[^\n]*{message}[^\n]*$"):
        read_npz(_write_header(tmp_path / "a.npz", header), ["a"])


def test_only_arrays_that_are_asked_for_matter(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), odd=np.array([None]))
    assert read_npz(tmp_path / "a.npz", ["a"])["a"].tolist() == [0, 1, 2]


def test_what_unpacks_to_far_more_than_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "SMALL", 1000)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(100_000))
    with pytest.raises(ValueError, match=r"bytes of a\.npy unpack to more than"):
        read_npz(tmp_path / "a.npz", ["a"])
    np.savez_compressed(tmp_path / "a.npz", a=np.random.default_rng(0).normal(size=100_000))
    assert len(read_npz(tmp_path / "a.npz", ["a"])["a"]) == 100_000


def test_damaged_archives(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.random.default_rng(0).normal(size=300))
    whole = file.getvalue()
    path = tmp_path / "a.npz"
    messages = []
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + b"\xff\xff" + whole[place + 2 :])
        try:
            assert set(read_npz(path, ["a"])) <= {"a"}  # a time or a comment may be anything
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 3
    assert all(str(path) in message for message in messages)


def test_a_single_array(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(12).reshape(3, 4))
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), values)
    content = (tmp_path / "a.npy").read_bytes()
    for broken, message in (
        (content[:-8], r"a\.npy declares int64 \(3, 4\), but its numbers take 88 bytes"),
        (content[:30], r"a\.npy cannot be read as \.npy .*: it is damaged"),
        (b"", r"a\.npy cannot be read as \.npy .*: it is damaged"),
    ):
        (tmp_path / "a.npy").write_bytes(broken)
        with pytest.raises(ValueError, match=message):
            read_npy(tmp_path / "a.npy")
    np.save(tmp_path / "o.npy", np.array([None]))
    with pytest.raises(ValueError, match=r"o\.npy: o\.npy holds Python objects"):
        read_npy(tmp_path / "o.npy")


@pytest.mark.parametrize("start", [12, 40, 80])
def test_zeros_in_a_header(start: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6).reshape(2, 3))
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(30) + content[start + 30 :])
    with pytest.raises(ValueError, match=r"a\.npy cannot be read as \.npy \(.*\): it is damaged"):
        read_npy(path)
