"""Rules about a query and a gallery image that every score shares, for Python and compiled code."""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.records import JUNK_PID

GENUINE, IMPOSTOR, UNCOUNTED = 0, 1, 2
"""Kinds of pairs; the first two are places in arrays of counts."""


@register_jitable  # type: ignore[untyped-decorator, unused-ignore]
def in_other_camera(query_camid: Any, gallery_camid: Any) -> Any:  # noqa: ANN401 - numbers or arrays
    """Whether a gallery image counts as a match of a query of its identity: cameras differ.

    An unknown camera (-1) of the query differs from every camera. Takes numbers, or arrays that broadcast.
    """
    return (gallery_camid != query_camid) | (query_camid < 0)


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
