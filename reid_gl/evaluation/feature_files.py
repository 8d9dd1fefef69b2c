"""Read features that other programs wrote: .npz, .mat, .h5 and .csv files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.arrays import check_told_apart
from reid_gl.evaluation.feature_lists import GROUPS, LIST_NAMES, SIDES, divide_list
from reid_gl.records import Features
from reid_gl.untrusted.csv_lines import read_csv_lines
from reid_gl.untrusted.matlab import read_matlab
from reid_gl.untrusted.npz import read_npz
from reid_gl.untrusted.regular_file import quoted, why_no_file

NAMES = {
    "query": ("query", "query_f", "query_features", "qf"),
    "gallery": ("gallery", "gallery_f", "gallery_features", "gf"),
    "query_pids": ("query_pids", "query_label", "query_labels", "q_pids"),
    "gallery_pids": ("gallery_pids", "gallery_label", "gallery_labels", "g_pids"),
    "query_camids": ("query_camids", "query_cam", "query_cams", "q_camids"),
    "gallery_camids": ("gallery_camids", "gallery_cam", "gallery_cams", "g_camids"),
    **{f"{side}_{name}": (f"{side}_{name}",) for side in SIDES for name in ("clothes", "dates")},
}
"""Accepted names of each array: first our own, then aliases, some of which common programs write."""

CSV_GROUPS = {"camid": "camids", "clothes": "clothes", "date": "dates"}
"""Columns that a .csv file may have before the features, in this order, and the arrays they become."""

SUFFIXES = (".npz", ".mat", ".h5", ".hdf5", ".csv")


def load_features(path: str | Path) -> tuple[Features, Features | None]:
    """Load query and gallery features from one file.

    .npz, .mat and .h5 files contain the arrays of NAMES: features (Q, D) and (G, D), identities (Q,) and
    (G,), and optionally cameras, clothes and days. A .csv file has a header line and one image per line. Its
    columns are split (query or gallery), pid, optionally camid, clothes and date, and the D numbers of the
    feature. A .npz file that `reid-gl extract` wrote contains a list of images with optional splits; without
    splits every image is a query.

    Args:
        path: the file. Nothing in it is executed; pickled arrays are refused.

    Returns:
        Query and gallery. The gallery is None if every query searches all other queries. Cameras are -1,
        clothes and days None if the file has none.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file type is unknown, an array is missing, or shapes disagree.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"cannot read {path}: expected one of {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise FileNotFoundError(f"feature file {path} {why_no_file(path)}")
    arrays = _read_csv(path) if path.suffix.lower() == ".csv" else _read_arrays(path)
    if "features" in arrays and "query" not in arrays:
        arrays = divide_list(arrays, path)
        if "gallery" not in arrays:
            return _side(arrays, "query", path), None
    return _side(arrays, "query", path), _side(arrays, "gallery", path)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays that have one of the known names."""
    wanted = (*(alias for aliases in NAMES.values() for alias in aliases), *LIST_NAMES)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _named(read_npz(path, wanted))
    from reid_gl.untrusted.hdf5 import has_name, is_hdf5, open_hdf5, read_array

    if suffix == ".mat" and not is_hdf5(path):
        return _named(read_matlab(path, wanted))
    with open_hdf5(path) as file:
        arrays = {name: read_array(file, name) for name in wanted if has_name(file, name)}
    if suffix == ".mat":  # MATLAB 7.3 files store arrays in column-major order
        arrays = {name: values.T for name, values in arrays.items()}
    return _named(arrays)


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
    lines = read_csv_lines(path)
    _, titles = next(lines, (1, []))
    if "path" in titles:
        raise ValueError(
            f"{path} lists images and holds no features: compute them with `reid-gl extract {path} "
            "features.npz --weights FILE`, and give features.npz"
        )
    if titles[:2] != ["split", "pid"]:
        found = quoted(",".join(titles[:3]))
        raise ValueError(
            f"{path} must begin with the titles split,pid[,camid][,clothes][,date],..., found {found}"
        )
    groups = [title for title in titles[2:5] if title in CSV_GROUPS]
    first = 2 + len(groups)
    if titles[2:first] != sorted(groups, key=[*CSV_GROUPS].index):
        raise ValueError(f"{path}: the columns {', '.join(CSV_GROUPS)} must stand in this order after pid")
    sides: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float32]]]] = {"query": [], "gallery": []}
    for number, row in lines:
        try:
            feature = np.array([float(text) for text in row[first:]], dtype=np.float32)
            known = [int(text) for text in row[1:first]]
            sides[row[0]].append((np.array(known, np.int64), feature))
        except (KeyError, ValueError, IndexError):
            raise ValueError(
                f"{path}, line {number}: expected query or gallery, whole numbers and features, got "
                f"{quoted(','.join(row[:4]))}"
            ) from None
        except OverflowError:
            raise ValueError(
                f"{path}, line {number}: {quoted(','.join(row[1:first]))} has a number beyond 64 bits: "
                "number the identities from 1"
            ) from None
        if len(row) != len(titles):
            raise ValueError(f"{path}, line {number}: {len(row)} columns, but {len(titles)} titles")
    arrays: dict[str, NDArray[Any]] = {}
    for side, rows in sides.items():
        features = [feature for _, feature in rows]
        numbers = np.array([known for known, _ in rows], np.int64).reshape(len(rows), first - 1)
        arrays[side] = np.array(features, dtype=np.float32).reshape(len(rows), len(titles) - first)
        names = ("pids", *(CSV_GROUPS[title] for title in groups))
        arrays |= {f"{side}_{name}": column for name, column in zip(names, numbers.T, strict=True)}
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
        for name in ("pids", *GROUPS)
    }
    clothes, dates = (ids[name] if (ids[name] >= 0).any() else None for name in ("clothes", "dates"))
    return Features(embeddings, ids["pids"], ids["camids"], clothes=clothes, dates=dates)


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
    check_told_apart(f"{path}: {name}", flat)
    return whole
