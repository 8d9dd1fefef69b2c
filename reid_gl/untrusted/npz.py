"""Read arrays of .npz and .npy files; the declared sizes are compared with the actual bytes."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from reid_gl.untrusted.regular_file import check_regular_file
from reid_gl.untrusted.sizes import MAX_ARRAYS_BYTES, largest_content

BROKEN = (
    *(OSError, ValueError, TypeError, LookupError, EOFError, NotImplementedError, SyntaxError, MemoryError),
    *(RecursionError, RuntimeError, OverflowError, zipfile.BadZipFile, zlib.error, TokenError),
)
"""Errors that zipfile and NumPy raise for damaged files."""


class ArrayError(ValueError):
    """An array is not read; callers complete the message to a sentence."""


def read_npz(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read arrays of an archive that numpy.savez wrote.

    Args:
        path: the file.
        names: arrays to read; others are skipped.

    Returns:
        The arrays that exist, by name; they are read-only.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged or of another kind, or an array holds Python objects or declares more
            than the file holds.
    """
    check_regular_file(path, max_bytes=MAX_ARRAYS_BYTES)
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz archive, or only part of one (numpy.savez writes them)")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: f"{name}.npy" for name in names}
            present = {name: member for name, member in members.items() if member in archive.NameToInfo}
            return {name: _read_array(archive, member) for name, member in present.items()}
    except ArrayError as error:
        raise ValueError(f"{path}: {error}") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as .npz ({reason[:200]}): it is damaged") from None


def read_npy(path: Path) -> NDArray[Any]:
    """Read a file that numpy.save wrote; the array is read-only. Errors as read_npz."""
    size = check_regular_file(path, max_bytes=MAX_ARRAYS_BYTES)
    try:
        with path.open("rb") as file:
            return _read_values(file, size, path.name)
    except ArrayError as error:
        raise ValueError(f"{path}: {error}") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as .npy ({reason[:200]}): it is damaged") from None


def _read_array(archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    info = archive.getinfo(member)
    limit = largest_content(info.compress_size)
    if info.file_size > limit:
        raise ArrayError(f"{info.compress_size:,} bytes of {member} unpack to more than {limit:,}")
    with archive.open(info) as file:
        return _read_values(file, info.file_size, member)


def _read_values(file: IO[bytes], size: int, name: str) -> NDArray[Any]:
    """Read header and numbers of an array that takes `size` bytes."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ArrayError(f"{name} has a header of version {version}: write it with numpy")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ArrayError(f"{name} holds Python objects, which are never loaded: save numbers or words")
    declared, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if declared != held or min(shape, default=0) < 0:
        raise ArrayError(f"{name} declares {dtype} {shape}, but its numbers take {held:,} bytes")
    return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if is_fortran else "C")
