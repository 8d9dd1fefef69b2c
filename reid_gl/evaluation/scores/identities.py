"""Identities and cameras of one side of the protocol, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.arrays import as_array

Ints = NDArray[np.int64]


def check_identities(side: str, pids: Ints, camids: Ints | None, count: int) -> tuple[Ints, Ints]:
    """Identities and cameras as whole numbers of the right length.

    Args:
        side: "query" or "gallery", for messages.
        pids: (count,) identities.
        camids: (count,) cameras, or None.
        count: pictures of this side.

    Returns:
        Identities and cameras, (count,) int64 each; cameras are -1, which matches no other one, where none
        are given.

    Raises:
        ValueError: another shape, or something other than whole numbers of 64 bits.
    """
    cameras = np.full(count, -1) if camids is None else camids
    return whole_numbers(f"{side}_pids", pids, count), whole_numbers(f"{side}_camids", cameras, count)


def whole_numbers(name: str, given: Ints, count: int) -> Ints:
    """Given numbers as (count,) int64.

    Raises:
        ValueError: another shape, something other than whole numbers of 64 bits, or floating point numbers so
            large that neighbours are one; says the name.
    """
    values = as_array(given)
    if values.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), got {values.shape}")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be whole numbers, got {values.dtype}")
    with np.errstate(invalid="ignore"):  # what does not fit differs below
        whole = values.astype(np.int64)
    different = np.flatnonzero(whole != values)
    if len(different):
        raise ValueError(f"{name} must be whole numbers of 64 bits, got {values[different[0]]}")
    if values.dtype.kind == "f" and count:
        exact = 2 ** (int(np.finfo(str(values.dtype)).nmant) + 1)
        largest = whole[np.abs(values).argmax()]
        if abs(int(largest)) >= exact:  # its neighbour may have been rounded to it
            raise ValueError(
                f"{name} are {values.dtype}, which tells whole numbers apart below {exact} only, and reach "
                f"{largest}: different identities would be one; give them as integers"
            )
    return whole
