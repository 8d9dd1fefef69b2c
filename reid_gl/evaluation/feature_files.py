"""Read features that other programs wrote: .npz, .mat, .h5 and .csv files."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from reid_gl.evaluation.feature_lists import LIST_NAMES, divide_list
from reid_gl.records import Features

NAMES = {
    "query": ("query", "query_f", "query_features", "qf"),
    "gallery": ("gallery", "gallery_f", "gallery_features", "gf"),
    "query_pids": ("query_pids", "query_label", "query_labels", "q_pids"),
    "gallery_pids": ("gallery_pids", "gallery_label", "gallery_labels", "g_pids"),
    "query_camids": ("query_camids", "query_cam", "query_cams", "q_camids"),
    "gallery_camids": ("gallery_camids", "gallery_cam", "gallery_cams", "g_camids"),
}
"""Accepted names of each array: first our own, then aliases, some of which common programs write."""

DAMAGES = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    MatReadError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Exceptions that numpy, scipy and h5py raise on a damaged file."""

SUFFIXES = (".npz", ".mat", ".h5", ".hdf5", ".csv")


def load_features(path: str | Path) -> tuple[Features, Features | None]:
    """Load query and gallery features from one file.

    .npz, .mat and .h5 files contain the arrays of NAMES: features (Q, D) and (G, D), identities (Q,) and
    (G,), and optionally cameras. A .csv file has a header line and one image per line. Its columns are split
    (query or gallery), pid, optionally camid, and the D numbers of the feature. A .npz file that `reid-gl
    extract` wrote contains a list of images with optional splits; without splits every image is a query.

    Args:
        path: the file. Nothing in it is executed; pickled arrays are refused.

    Returns:
        Query and gallery. The gallery is None if every query searches all other queries. Cameras are -1
        if the file has none.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file type is unknown, an array is missing, or shapes disagree.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"cannot read {path}: expected one of {', '.join(SUFFIXES)}")
    if not path.is_file():
        reason = "is not a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"feature file {path} {reason}")
    try:
        arrays = _read_csv(path) if path.suffix.lower() == ".csv" else _read_arrays(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"cannot read {path} as .csv in UTF-8: {error}") from None
    if "features" in arrays and "query" not in arrays:
        arrays = divide_list(arrays, path)
        if "gallery" not in arrays:
            return _side(arrays, "query", path), None
    return _side(arrays, "query", path), _side(arrays, "gallery", path)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    import h5py

    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            if not zipfile.is_zipfile(path):
                raise ValueError("it is no .npz archive, or not all of one (numpy.savez writes them)")
            with np.load(path, allow_pickle=False) as archive:
                return _named(archive)
        if suffix == ".mat" and not h5py.is_hdf5(path):
            return _named(loadmat(path))
        with h5py.File(path, "r") as file:
            arrays = {
                key: np.asarray(value) for key, value in file.items() if isinstance(value, h5py.Dataset)
            }
        if suffix == ".mat":  # MATLAB 7.3 files store arrays in column-major order
            arrays = {key: value.T for key, value in arrays.items()}
        return _named(arrays)
    except DAMAGES as error:
        raise ValueError(f"cannot read {path} as {suffix}: {' '.join(str(error).split())}") from None


def _named(found: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Select the known arrays and rename them to our names."""
    arrays = {}
    for name, aliases in NAMES.items():
        present = [alias for alias in aliases if alias in found]
        if present:
            arrays[name] = np.asarray(found[present[0]])
    if "query" not in arrays:
        arrays |= {name: np.asarray(found[name]) for name in LIST_NAMES if name in found}
    return arrays


def _read_csv(path: Path) -> dict[str, NDArray[Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        titles = next(reader, [])
        if "path" in titles:
            raise ValueError(
                f"{path} lists images and holds no features: compute them with `reid-gl extract {path} "
                "features.npz --weights FILE`, and give features.npz"
            )
        if titles[:2] != ["split", "pid"]:
            raise ValueError(f"{path} must begin with the titles split,pid[,camid],..., found {titles[:3]}")
        first = 3 if titles[2:3] == ["camid"] else 2
        sides: dict[str, list[tuple[int, int, list[float]]]] = {"query": [], "gallery": []}
        for number, row in enumerate(reader, start=2):
            if not row:
                continue
            try:
                camid = int(row[2]) if first == 3 else -1
                sides[row[0]].append((int(row[1]), camid, [float(text) for text in row[first:]]))
            except (KeyError, ValueError, IndexError):
                raise ValueError(
                    f"{path}, line {number}: expected query or gallery, whole numbers and features, got "
                    f"{row[:4]}"
                ) from None
            if len(row) != len(titles):
                raise ValueError(f"{path}, line {number}: {len(row)} columns, but {len(titles)} titles")
    arrays = {}
    for side, rows in sides.items():
        arrays[side] = np.array([row[2] for row in rows], dtype=np.float32).reshape(
            len(rows), len(titles) - first
        )
        arrays[f"{side}_pids"] = np.array([row[0] for row in rows])
        if first == 3:
            arrays[f"{side}_camids"] = np.array([row[1] for row in rows])
    return arrays


def _side(arrays: dict[str, NDArray[Any]], side: str, path: Path) -> Features:
    for name in (side, f"{side}_pids"):
        if name not in arrays:
            raise ValueError(f"{path} has no {name}: expected one of the names {', '.join(NAMES[name])}")
    embeddings = arrays[side]
    if embeddings.ndim != 2 or embeddings.dtype.kind not in "fiu" or not embeddings.size:
        raise ValueError(
            f"{path}: {side} must be numbers (M, D) with at least one row, got {embeddings.dtype} "
            f"{embeddings.shape}"
        )
    with np.errstate(over="ignore"):
        embeddings = embeddings.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(broken):
        raise ValueError(f"{path}: {side} is not finite in {len(broken)} rows, first {broken[:5].tolist()}")
    num_pids = arrays[f"{side}_pids"].size
    if num_pids == embeddings.shape[1] != len(embeddings):
        raise ValueError(f"{path}: {side} looks transposed: {embeddings.shape}, but {num_pids} identities")
    ids = {
        name: _ids(arrays.get(f"{side}_{name}"), f"{side}_{name}", len(embeddings), path)
        for name in ("pids", "camids")
    }
    return Features(embeddings, ids["pids"], ids["camids"])


def _ids(values: NDArray[Any] | None, name: str, count: int, path: Path) -> NDArray[np.int64]:
    """Convert to whole numbers (count,); MATLAB stores them as a single row or column."""
    if values is None:
        return np.full(count, -1, dtype=np.int64)
    flat = values.reshape(-1)
    whole = np.zeros(0, np.int64)
    if flat.dtype.kind in "fiu":
        with np.errstate(invalid="ignore"):  # values that do not fit fail the comparison below
            whole = flat.astype(np.int64)
    if max(values.shape, default=0) != count or not np.array_equal(whole, flat):
        raise ValueError(f"{path}: {name} must be {count} whole numbers, got {values.dtype} {values.shape}")
    return whole
