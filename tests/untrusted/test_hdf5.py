from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from reid_gl.untrusted.hdf5 import has_name, open_hdf5, read_array, read_references

ONES = np.ones((6, 4), np.float32)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that nobody asked for."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["a"] = ONES
    return tmp_path / "secret.h5"


def _virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((6, 4), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "a", shape=(6, 4))
    file.create_virtual_dataset("a", layout)


def _external_link(file: h5py.File, secret: Path) -> None:
    file["a"] = h5py.ExternalLink(str(secret), "/a")


def _external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("a", (6, 4), "f4", external=[(str(secret), 0, 96)])


def _link_through_a_link(file: h5py.File, secret: Path) -> None:
    file["out"] = h5py.ExternalLink(str(secret), "/")
    file["a"] = h5py.SoftLink("/out/a")


@pytest.mark.parametrize("fill", [_virtual, _external_link, _external_storage, _link_through_a_link])
def test_no_other_file_is_ever_read(
    tmp_path: Path, secret: Path, fill: Callable[[h5py.File, Path], None]
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill(file, secret)
    message = "a link, which is not followed|lies in other files"
    with open_hdf5(tmp_path / "a.h5") as file, pytest.raises(ValueError, match=message):
        read_array(file, "a")


def test_arrays_and_references_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("packed", data=ONES, compression="gzip", chunks=(2, 4))
        file.create_dataset("refs", data=np.array([file["packed"].ref], object), dtype=h5py.ref_dtype)
    with open_hdf5(tmp_path / "a.h5") as file:
        assert has_name(file, "refs")
        assert not has_name(file, "missing")
        (reference,) = read_references(file, "refs")
        np.testing.assert_array_equal(read_array(file, reference), ONES)
        with pytest.raises(ValueError, match=r"'packed' in .*a\.h5 holds float32: expected references"):
            read_references(file, "packed")


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.create_dataset("a", (10**9, 1000), "f4", chunks=(1000, 1000)), "far more than"),
        (lambda file: file.create_group("a"), "is not an array"),
        (lambda file: file.create_dataset("a", data=h5py.Empty("f4")), "is not an array"),
        (lambda file: file.create_dataset("a", data=["x"], dtype=h5py.string_dtype()), "holds object"),
        (lambda file: file.create_dataset("a", data=np.zeros(3, "f4,f4")), "expected numbers"),
        (lambda file: file, "is missing"),
    ],
)
def test_what_is_no_array_of_numbers(
    tmp_path: Path, fill: Callable[[h5py.File], object], message: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill(file)
    with open_hdf5(tmp_path / "a.h5") as file, pytest.raises(ValueError, match=rf"'a' in .*{message}"):
        read_array(file, "a")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=ONES, compression="gzip")
    whole = path.read_bytes()
    messages = []
    for place in range(0, len(whole) - 8, 61):
        path.write_bytes(whole[:place] + bytes(8) + whole[place + 8 :])
        try:
            with open_hdf5(path) as file:
                assert not has_name(file, "a") or read_array(file, "a").shape == ONES.shape
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 3
    assert all(str(path) in message for message in messages)
