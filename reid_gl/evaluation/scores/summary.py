"""Summarise the scores of queries, or say why there are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.scores.counting import FIRST_MATCH, INVERSE_PENALTY, RECTANGLE, TRAPEZOID
from reid_gl.records import RankingResult

Ints = NDArray[np.int64]


def summarise(scores: NDArray[np.float64], *, num_gallery: int, max_rank: int) -> RankingResult:
    """Average the scores of score_rows, (Q, NUM_SCORES), over the queries that have a match: at least one."""
    first_match = scores[:, FIRST_MATCH].astype(np.int64)
    scored = scores[first_match > 0]
    found = np.bincount(np.minimum(first_match[first_match > 0], max_rank + 1), minlength=max_rank + 1)
    return RankingResult(
        cmc=np.cumsum(found[1 : max_rank + 1]) / len(scored),
        mean_ap=float(scored[:, RECTANGLE].mean()),
        mean_ap_trapezoid=float(scored[:, TRAPEZOID].mean()),
        mean_inp=float(scored[:, INVERSE_PENALTY].mean()),
        num_queries=len(scores),
        num_scored=len(scored),
        num_gallery=num_gallery,
        average_precision=scores[:, RECTANGLE].copy(),
        first_match=first_match,
    )


def why_nothing(query_pids: Ints, gallery_pids: Ints) -> str:
    """Return the error message for queries without any match, including what to do.

    Args:
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities, without junk.
    """
    if not len(query_pids):
        return "there are no queries: nothing can be scored"
    result = (
        f"none of the {len(query_pids)} queries has a match among the {len(gallery_pids)} gallery images "
        "without junk: "
    )
    if not np.isin(query_pids, gallery_pids).any():
        return result + "they share no identity; check how the identities are read"
    return (
        result + "its own camera's do not count; score without cameras (TEST.CAMERA_FILTER off, --no-cameras)"
    )
