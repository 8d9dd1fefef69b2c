"""Split the features of a list of images, as `reid-gl extract` writes them, into query and gallery."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.records import JUNK_PID

logger = logging.getLogger(__name__)

GROUPS = ("camids", "clothes", "dates")
"""What else is known of images, as whole numbers; -1 if unknown."""
LIST_NAMES = ("features", "pids", "ids", *GROUPS, "splits", "valid")
"""Arrays read from such a file; only this kind of file has an array named "features"."""
KINDS = {"splits": "U"}
"""NumPy's kinds of columns that are not numbers."""
SIDES = ("query", "gallery")


def divide_list(arrays: Mapping[str, NDArray[Any]], path: Path) -> dict[str, NDArray[Any]]:
    """Split the arrays of a list of images into query and gallery arrays.

    Args:
        arrays: "features" (M, D); identities, either "pids" (M,) or ground-truth "ids" (M,), which start at
            0 and are -1 if unknown; optionally GROUPS, "splits" (words) and "valid", (M,) each. Rows with
            valid = False have no feature.
        path: path of the file, for messages.

    Returns:
        Features, identities and groups under the names that load_features expects. A list without splits,
        or without a gallery, results in query arrays only; the queries then search one another.

    Raises:
        ValueError: identities are missing, columns differ in length, or there is no query.
    """
    if arrays["features"].ndim != 2:
        raise ValueError(f"{path}: features must be numbers (M, D), got shape {arrays['features'].shape}")
    num_rows = len(arrays["features"])
    columns = {name: np.asarray(column).reshape(-1) for name, column in arrays.items() if name != "features"}
    for name, column in columns.items():
        if len(column) != num_rows:
            raise ValueError(f"{path}: {name} must be {num_rows} numbers or words, got {len(column)}")
        if column.dtype.kind not in KINDS.get(name, "biuf"):
            raise ValueError(
                f"{path}: {name} must be {'words' if name in KINDS else 'numbers'}, got {column.dtype}"
            )
    kept = np.ones(num_rows, dtype=bool)
    if "valid" in columns:
        kept = columns["valid"].astype(bool)
        if not kept.all():
            logger.info("%s: %d of %d boxes hold nothing and are left out", path, (~kept).sum(), num_rows)
    values = {"": arrays["features"], "_pids": _identities(columns, path)}
    values |= {f"_{name}": columns[name] for name in GROUPS if name in columns}
    if "splits" not in columns:
        return {f"query{end}": column[kept] for end, column in values.items()}
    present = set(columns["splits"][kept].tolist())
    if "query" not in present:
        raise ValueError(
            f"{path} has no row of split query, its splits are {', '.join(sorted(present)) or 'none'}: "
            "extract from a table with query and gallery, or from one without the column split"
        )
    rows = {side: kept & (columns["splits"] == side) for side in SIDES if side in present}
    return {f"{side}{end}": column[chosen] for side, chosen in rows.items() for end, column in values.items()}


def _identities(columns: Mapping[str, NDArray[Any]], path: Path) -> NDArray[Any]:
    """Return identities in the protocol's numbering.

    Ground-truth ids have no distractors and 0 is a person, so they are shifted by 1; unknown ids become junk.
    """
    if "pids" in columns:
        return columns["pids"]
    ids = columns.get("ids")
    if ids is None or not (ids >= 0).any():
        raise ValueError(
            f"{path} does not say who is who: extract from a table with the column pid, or from a sequence "
            "with --boxes gt/gt.txt"
        )
    return np.where(ids < 0, JUNK_PID, ids + 1)
