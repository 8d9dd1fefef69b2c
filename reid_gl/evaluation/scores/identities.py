"""Check distances, and the identities and cameras of query and gallery."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.arrays import as_array, check_told_apart

Ints = NDArray[np.int64]


def check_distances(
    distances: NDArray[Any], query: tuple[Ints, Ints | None], gallery: tuple[Ints, Ints | None]
) -> tuple[NDArray[np.floating], tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Check a matrix of distances with the identities and cameras of its rows and columns.

    Args:
        distances: (Q, G) numbers.
        query: (Q,) identities, and (Q,) cameras or None.
        gallery: (G,) identities, and (G,) cameras or None.

    Returns:
        Distances in float32 or float64, and both sides as check_identities gives them.

    Raises:
        ValueError: as check_identities; also if these are no distances, or only one side has cameras.
    """
    distances = as_array(distances)
    if distances.ndim != 2 or distances.dtype.kind not in "fiub":
        raise ValueError(f"distances must be numbers (Q, G), got {distances.dtype} {distances.shape}")
    if distances.dtype not in (np.float32, np.float64):
        distances = distances.astype(np.float64)
    checked = (
        check_identities("query", *query, distances.shape[0]),
        check_identities("gallery", *gallery, distances.shape[1]),
    )
    if (query[1] is None) != (gallery[1] is None):
        raise ValueError("give query_camids and gallery_camids, or neither: one side alone has no meaning")
    return distances, *checked


def check_identities(side: str, pids: Ints, camids: Ints | None, count: int) -> tuple[Ints, Ints]:
    """Check identities and cameras and convert them to int64.

    Args:
        side: "query" or "gallery", for messages.
        pids: (count,) identities.
        camids: (count,) cameras, or None.
        count: number of images of this side.

    Returns:
        Identities and cameras, (count,) int64 each. If camids is None, all cameras are -1, which differs from
        every camera.

    Raises:
        ValueError: the shape is wrong, or values are not 64-bit whole numbers.
    """
    cameras = np.full(count, -1) if camids is None else camids
    return whole_numbers(f"{side}_pids", pids, count), whole_numbers(f"{side}_camids", cameras, count)


def whole_numbers(name: str, given: Ints, count: int) -> Ints:
    """Convert numbers to (count,) int64.

    Raises:
        ValueError: the shape is wrong, values are not 64-bit whole numbers, or floating-point values are so
            large that adjacent whole numbers are rounded to the same value. The message contains the name.
    """
    values = as_array(given)
    if values.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), got {values.shape}")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be whole numbers, got {values.dtype}")
    with np.errstate(invalid="ignore"):  # values that do not fit fail the comparison below
        whole = values.astype(np.int64)
    different = np.flatnonzero(whole != values)
    if len(different):
        raise ValueError(f"{name} must be whole numbers of 64 bits, got {values[different[0]]}")
    check_told_apart(name, values)
    return whole
