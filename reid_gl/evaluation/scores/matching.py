"""Rules about a query and a gallery image that every score shares, for Python and compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.records import JUNK_PID

GENUINE, IMPOSTOR, UNCOUNTED = 0, 1, 2
"""Kinds of pairs; the first two are places in arrays of counts."""


class GroupRule(NamedTuple):
    """Which images of a query's identity are matches, by a group: camera, clothes, day or image.

    Attributes:
        query: (Q,) group of each query; -1 (unknown) equals no group.
        gallery: (G,) group of each gallery image.
        wants_same: whether a match is in the query's group; by default it is in another one. Images of the
            query's identity that break the rule are neither right nor wrong.
    """

    query: NDArray[np.int64]
    gallery: NDArray[np.int64]
    wants_same: bool = False


@register_jitable  # type: ignore[untyped-decorator, unused-ignore]
def fits_group(query_group: Any, gallery_group: Any, wants_same: Any) -> Any:  # noqa: ANN401 - numbers or arrays
    """Whether a gallery image of the query's identity is a match under one GroupRule.

    An unknown group (-1) of the query differs from every group. Takes numbers, or arrays that broadcast.
    """
    return ((gallery_group != query_group) | (query_group < 0)) != wants_same


@register_jitable  # type: ignore[untyped-decorator, unused-ignore]
def in_other_camera(query_camid: Any, gallery_camid: Any) -> Any:  # noqa: ANN401 - numbers or arrays
    """Whether a gallery image counts as a match of a query of its identity: cameras differ.

    An unknown camera (-1) of the query differs from every camera. Takes numbers, or arrays that broadcast.
    """
    return fits_group(query_camid, gallery_camid, False)


@register_jitable  # type: ignore[untyped-decorator, unused-ignore]
def pair_kind(query_pid: int, query_camid: int, gallery_pid: int, gallery_camid: int) -> int:
    """GENUINE for images of one identity, IMPOSTOR for images of two, UNCOUNTED for a pair to skip.

    Pairs with junk, and pairs of one identity in one camera, are skipped.
    """
    if query_pid == JUNK_PID or gallery_pid == JUNK_PID:
        return UNCOUNTED
    if gallery_pid != query_pid:
        return IMPOSTOR
    return GENUINE if in_other_camera(query_camid, gallery_camid) else UNCOUNTED


@compiled()
def has_nan(row: NDArray[Any]) -> bool:
    """Whether a row of distances (G,) contains NaN."""
    count = 0
    for value in row:
        count += value != value  # true for NaN only; this form vectorises
    return count > 0
