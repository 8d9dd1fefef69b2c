"""Read arrays of HDF5 files, including MATLAB 7.3; no other file is ever opened.

An HDF5 file can refer to other files in three ways: links to their objects, external storage of an array, and
virtual arrays made of their arrays. None of these is followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from reid_gl.untrusted.regular_file import check_regular_file
from reid_gl.untrusted.sizes import MAX_ARRAYS_BYTES, largest_content

BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError, ArithmeticError)
"""Errors that h5py raises for damaged files."""


class Hdf5Error(ValueError):
    """A file, or an array in it, is not read; the message says why."""


def is_hdf5(path: Path) -> bool:
    """Return whether a regular file starts like an HDF5 file."""
    check_regular_file(path, max_bytes=MAX_ARRAYS_BYTES)
    return bool(h5py.is_hdf5(path))


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; read_array reads from it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not regular, or not HDF5.
    """
    check_regular_file(path, max_bytes=MAX_ARRAYS_BYTES)
    try:
        file = h5py.File(path, "r")
    except BROKEN as error:
        raise Hdf5Error(f"{path} is no HDF5 file, or damaged ({_in_one_line(error)})") from None
    try:
        yield file
    finally:
        file.close()


def has_name(file: h5py.File, name: str) -> bool:
    """Return whether an object or a link has that name; a link is not followed."""
    return _link(file, name) is not None


def read_array(file: h5py.File, key: str | h5py.Reference) -> NDArray[Any]:
    """Read a whole array of numbers, or of references to other arrays of the file.

    Args:
        file: opened by open_hdf5.
        key: the array's name in the file, or a reference to it.

    Raises:
        Hdf5Error: there is no such array, or it is damaged, does not hold numbers, uses other files, or
            declares far more than the file holds.
    """
    called = _called(file, key)
    if isinstance(key, str) and not isinstance(_link(file, key), h5py.HardLink):
        raise Hdf5Error(f"{called} is missing, or a link, which is not followed: store the array itself")
    try:
        dataset = file[key]
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise Hdf5Error(f"{called} is not an array: expected numbers")
        _check_dataset(dataset, called)
        return np.asarray(dataset[()])
    except Hdf5Error:
        raise
    except BROKEN as error:
        raise Hdf5Error(f"{called} cannot be read ({_in_one_line(error)}): it is damaged") from None


def read_references(file: h5py.File, key: str | h5py.Reference) -> NDArray[Any]:
    """Read an array of references to other arrays of the file; arguments and errors as read_array."""
    values = read_array(file, key)
    check_references(values, _called(file, key))
    return values


def check_references(values: NDArray[Any], called: str) -> None:
    """Raise Hdf5Error unless an array of read_array holds references; `called` is its name in the message."""
    if values.dtype != object:
        raise Hdf5Error(f"{called} holds {values.dtype}: expected references to other arrays")


def _called(file: h5py.File, key: str | h5py.Reference) -> str:
    return f"{key!r} in {file.filename}" if isinstance(key, str) else f"an array in {file.filename}"


def _check_dataset(dataset: h5py.Dataset, called: str) -> None:
    if dataset.external or dataset.is_virtual:
        raise Hdf5Error(f"{called} lies in other files, which are not read: store the array itself")
    is_reference = h5py.check_ref_dtype(dataset.dtype) is not None
    if dataset.dtype.kind not in "biuf" and not is_reference:
        raise Hdf5Error(f"{called} holds {dataset.dtype}: expected numbers")
    limit = largest_content(dataset.id.get_storage_size())
    if math.prod(dataset.shape) * dataset.dtype.itemsize > limit:
        raise Hdf5Error(f"{called} declares {dataset.dtype} {dataset.shape}, far more than the file holds")


def _link(file: h5py.File, name: str) -> object:
    """Return the object of a name in the file; None if there is none."""
    try:
        return file.get(name, None, getlink=True)
    except BROKEN as error:
        raise Hdf5Error(f"{file.filename} cannot be read ({_in_one_line(error)}): it is damaged") from None


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
