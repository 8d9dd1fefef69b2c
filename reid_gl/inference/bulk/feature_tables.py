"""Write features and the columns of their rows as .npz or Parquet, one part at a time."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from reid_gl.files import make_folder, whole_or_nothing
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.crop_tables import singular
from reid_gl.inference.bulk.extract_many import FeatureParts

CORNERS = ("x1", "y1", "x2", "y2")


def write_npz(path: Path, crops: CropList, parts: FeatureParts) -> None:
    """Write "features" (M, D) float32, the columns of the list, and "valid" (M,) if there are boxes.

    Args:
        path: file to write; it appears only when it is complete.
        crops: the rows that have features.
        parts: their features.
    """
    columns = _columns(crops, parts)
    make_folder(path.parent)
    with whole_or_nothing(path) as partial, zipfile.ZipFile(partial, "w", allowZip64=True) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            _write_features(file, parts)  # type: ignore[arg-type]
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, column, allow_pickle=False)


def write_parquet(path: Path, crops: CropList, parts: FeatureParts) -> None:
    """Write one row per crop: "feature" as a list of D numbers, then the columns, boxes as x1, y1, x2, y2.

    Args:
        path: file to write; it appears only when it is complete.
        crops: the rows that have features.
        parts: their features.

    Raises:
        ImportError: pyarrow is not installed.
    """
    import_pyarrow()
    parquet = importlib.import_module("pyarrow.parquet")
    make_folder(path.parent)
    with whole_or_nothing(path) as partial:
        writer = None
        first = 0
        for features, valid in parts:
            batch = arrow_table(crops.rows(first, first + len(features)), features, valid)
            first += len(features)
            writer = writer or parquet.ParquetWriter(partial, batch.schema)
            writer.write_table(batch)
        if writer:
            writer.close()


def arrow_table(crops: CropList, features: NDArray[np.float32], valid: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    """Make an Arrow table of crops and their features.

    Args:
        crops: M rows.
        features: (M, D).
        valid: (M,), False where a box does not overlap its image; a column only if there are boxes.

    Returns:
        A pyarrow.Table with the columns that write_parquet writes.

    Raises:
        ImportError: pyarrow is not installed.
    """
    arrow = import_pyarrow()
    columns = crops.arrays()
    boxes = columns.pop("boxes", None)
    rows = {singular(name): column for name, column in columns.items()}
    if boxes is not None:
        rows |= {"valid": valid, **{name: boxes[:, number] for number, name in enumerate(CORNERS)}}
    numbers = arrow.array(features.reshape(-1))
    table = {"feature": arrow.FixedSizeListArray.from_arrays(numbers, features.shape[1])}
    for name, column in rows.items():
        is_text = column.dtype.kind == "U"
        kind = arrow.string() if is_text else arrow.from_numpy_dtype(column.dtype)
        table[name] = arrow.array(column.tolist(), kind)
    return arrow.table(table)


def import_pyarrow() -> Any:  # noqa: ANN401 - it has no types
    """Import the module pyarrow.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            f"Parquet needs pyarrow ({error}): pip install 'reid_gl[parquet]', or write .npz"
        ) from None


def _columns(crops: CropList, parts: FeatureParts) -> dict[str, NDArray[Any]]:
    columns = crops.arrays()
    if crops.boxes is not None:
        columns["valid"] = np.concatenate([valid for _, valid in parts])
    return columns


def _write_features(file: BinaryIO, parts: FeatureParts) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(parts), parts.embedding_dim)}
    np.lib.format.write_array_header_1_0(file, header)
    for features, _ in parts:
        file.write(features.astype("<f4", copy=False).tobytes())
