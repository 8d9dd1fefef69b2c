"""Read Parquet tables of crops from object stores."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.inference.bulk.crop_tables import read_crop_table


def is_uri(source: str | Path) -> bool:
    """Return True for text such as s3://bucket/list.parquet."""
    return isinstance(source, str) and "://" in source


def read_remote_table(
    uri: str,
) -> tuple[tuple[str, ...], dict[str, NDArray[Any]], NDArray[np.float64] | None]:
    """Read a Parquet table of crops from a store that pyarrow or fsspec can open.

    Args:
        uri: such as s3://bucket/list.parquet. The paths in the table are absolute paths of images on file
            systems of this machine, because they cannot be relative to the store.

    Returns:
        The same as read_crop_table.

    Raises:
        ValueError: the table is invalid or has a relative path; or the store cannot be read, for example
            because pyarrow is not installed.
    """
    if not uri.endswith(".parquet"):
        raise ValueError(f"{uri} is not a Parquet table: only .parquet files are read from a store")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "table.parquet"
        try:
            with _open_stream(uri) as stream, copy.open("wb") as file:
                shutil.copyfileobj(stream, file)
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"cannot read {uri} ({reason}): check the address, the access to it, and that pyarrow, or "
                "the package that fsspec needs for it, is installed"
            ) from None
        try:
            paths, columns, boxes = read_crop_table(copy)
        except ValueError as error:
            raise ValueError(str(error).replace(str(copy), uri)) from None
        relative = [path for path in paths if path.startswith(f"{folder}/")]
    if relative:
        first = relative[0].removeprefix(f"{folder}/")
        raise ValueError(
            f"{uri} contains {len(relative):,} relative paths, the first is {first!r}: a table in a store "
            "needs absolute paths of images"
        )
    return paths, columns, boxes


def _open_stream(uri: str) -> Any:  # noqa: ANN401 - a file of a library without types
    """Open a file with pyarrow's own stores, or with fsspec if pyarrow does not know the protocol."""
    arrow = importlib.import_module("pyarrow")
    stores = importlib.import_module("pyarrow.fs")
    try:
        store, path = stores.FileSystem.from_uri(uri)
    except arrow.ArrowInvalid:
        return importlib.import_module("fsspec").open(uri, "rb").open()
    return store.open_input_stream(path)
