"""Identities and cameras of one side of the protocol, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
        ValueError: another shape.
    """
    pids = np.asarray(pids, dtype=np.int64)
    cameras = np.full(count, -1, dtype=np.int64) if camids is None else np.asarray(camids, dtype=np.int64)
    for name, values in (("pids", pids), ("camids", cameras)):
        if values.shape != (count,):
            raise ValueError(f"{side}_{name} must have shape ({count},), got {values.shape}")
    return pids, cameras
