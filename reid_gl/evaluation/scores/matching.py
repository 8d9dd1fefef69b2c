"""Rules about a query and a gallery image that every score shares, for Python and compiled code."""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled


@register_jitable  # type: ignore[untyped-decorator, unused-ignore]
def in_other_camera(query_camid: Any, gallery_camid: Any) -> Any:  # noqa: ANN401 - numbers or arrays
    """Whether a gallery image counts as a match of a query of its identity: cameras differ.

    An unknown camera (-1) of the query differs from every camera. Takes numbers, or arrays that broadcast.
    """
    return (gallery_camid != query_camid) | (query_camid < 0)


@compiled()
def has_nan(row: NDArray[Any]) -> bool:
    """Whether a row of distances (G,) contains NaN."""
    count = 0
    for value in row:
        count += value != value  # true for NaN only; this form vectorises
    return count > 0
