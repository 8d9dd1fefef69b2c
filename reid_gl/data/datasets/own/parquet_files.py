"""Reads the cells of a Parquet table as text."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reid_gl.untrusted.regular_file import check_regular_file

MAX_BYTES, MAX_ROWS = 4_000_000_000, 20_000_000
MAX_CELL = 131_072
"""Maximum number of characters in a cell; csv has the same limit."""
ROWS_AT_ONCE = 4096


class ParquetTable:
    """A table of text and numbers.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not a Parquet file, or is too large.
        ImportError: pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        check_regular_file(path, max_bytes=MAX_BYTES)
        try:
            self._arrow = importlib.import_module("pyarrow")
            self._parquet = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise ImportError(
                f"{path} needs pyarrow ({error}): pip install 'reid_gl[parquet]', or save the table as .csv"
            ) from None
        self._path = path
        self._broken = (ValueError, OSError, MemoryError, NotImplementedError, KeyError, TypeError)
        try:
            file = self._parquet.ParquetFile(path)
            self._schema = file.schema_arrow
            num_rows = file.metadata.num_rows
        except self._broken as error:
            raise ValueError(
                f"{path} is not a Parquet file ({_in_one_line(error)}): write it again"
            ) from None
        if num_rows > MAX_ROWS:
            raise ValueError(f"{path} has {num_rows:,} rows, more than {MAX_ROWS:,} are not read")

    @property
    def titles(self) -> list[str]:
        """Return the titles of the columns, as stored."""
        return list(self._schema.names)

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the number, from 1, and the cells by title of each row that is not empty.

        Raises:
            ValueError: a column has values other than text or numbers, such as lists; a cell is too long; or
                the data are damaged.
        """
        for title in wanted:
            self._check_kind(title)
        number = 0
        for columns in self._batches(wanted):
            for values in zip(*columns, strict=True):
                number += 1
                cells = {title: _as_text(value) for title, value in zip(wanted, values, strict=True)}
                if any(cells.values()):
                    yield number, cells

    def _batches(self, wanted: Sequence[str]) -> Iterator[list[list[Any]]]:
        """Yield the columns of some rows at a time."""
        try:
            # a repeated text is stored only once, and must not be unpacked before its length is known
            texts = [title for title in wanted if self._is_text(self._schema.field(title).type)]
            file = self._parquet.ParquetFile(self._path, read_dictionary=texts)
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(wanted)):
                yield [self._values(batch.column(title), title) for title in wanted]
        except _CellError as error:
            raise ValueError(str(error)) from None
        except self._broken as error:
            raise ValueError(f"{self._path} is damaged ({_in_one_line(error)}): write it again") from None

    def _values(self, column: Any, title: str) -> list[Any]:  # noqa: ANN401 - arrow has no types
        words = column.dictionary if self._arrow.types.is_dictionary(column.type) else column
        if self._is_text(words.type):
            lengths = importlib.import_module("pyarrow.compute").binary_length(words)
            if max((length or 0 for length in lengths.to_pylist()), default=0) > MAX_CELL:
                raise _CellError(
                    f"column {title!r} of {self._path} has a cell of more than {MAX_CELL:,} bytes: it is no "
                    "table of images"
                )
        values: list[Any] = column.to_pylist()
        return values

    def _check_kind(self, title: str) -> None:
        kind, types = self._schema.field(title).type, self._arrow.types
        if types.is_dictionary(kind):
            kind = kind.value_type
        accepted = (types.is_integer, types.is_floating, types.is_boolean, types.is_null, types.is_decimal)
        if not self._is_text(kind) and not any(accept(kind) for accept in accepted):
            raise ValueError(
                f"column {title!r} of {self._path} holds {kind}: expected text or numbers, write it as one"
            )

    def _is_text(self, kind: Any) -> bool:  # noqa: ANN401 - arrow has no types
        return bool(self._arrow.types.is_string(kind) or self._arrow.types.is_large_string(kind))


class _CellError(Exception):
    """A cell is too long."""


def _as_text(value: object) -> str:
    """Return a cell as CSV would write it; an empty text for null and NaN."""
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if is_missing else str(value).strip()


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
