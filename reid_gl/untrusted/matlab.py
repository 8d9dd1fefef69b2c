"""Read MATLAB files of version 5 to 7; on some damaged ones, scipy alone would crash the process."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from reid_gl.untrusted.matlab_layout import LayoutError, check_layout
from reid_gl.untrusted.regular_file import check_regular_file
from reid_gl.untrusted.sizes import MAX_ARRAYS_BYTES

BROKEN = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NameError, NotImplementedError),
    *(OSError, TypeError, ValueError, zlib.error, MatReadError),
)
"""Errors that scipy raises for damaged files."""


def read_matlab(path: Path, names: Sequence[str], *, squeeze: bool = False) -> dict[str, Any]:
    """Read variables of a MATLAB file; its layout is checked before scipy sees it.

    Args:
        path: the file.
        names: variables to read; others are skipped.
        squeeze: remove axes of length 1, as scipy's squeeze_me.

    Returns:
        The variables that exist, by name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or of another kind or version.
    """
    size = check_regular_file(path, max_bytes=MAX_ARRAYS_BYTES)
    try:
        check_layout(path, size, names)
        found: dict[str, Any] = loadmat(path, variable_names=list(names), squeeze_me=squeeze)
    except LayoutError as error:
        raise ValueError(f"{path} cannot be read as a MATLAB file: {error}; copy it again") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as a MATLAB file: {reason}; copy it again") from None
    return {name: found[name] for name in names if name in found}
