"""Scores of every query from blocks of distances: what ranking and retrieval share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.scores.counting import FIRST_MATCH, NUM_SCORES, score_rows

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


def score_blocks(
    blocks: Iterable[Floats],
    query: tuple[Ints, Ints],
    gallery: tuple[Ints, Ints],
    kept: NDArray[np.bool_],
    *,
    images: tuple[Ints, Ints] | None = None,
) -> NDArray[np.float64]:
    """Score (any, G) blocks of distances, the queries in their order.

    Args:
        blocks: together (Q, G), larger is more different.
        query: identities and cameras, (Q,) each; a camera of -1 is like no other.
        gallery: the same, (G,) each; images of the query's identity and camera do not count.
        kept: (G,) images that are no junk.
        images: numbers (Q,) and (G,) that are equal for an image that is query and gallery at once, which
            does not count against itself; -1 is like no other. None if there is none.

    Returns:
        (Q, NUM_SCORES), columns as `counting` names them; NaN, and FIRST_MATCH 0, for a query without a
        match.

    Raises:
        ValueError: a distance is not a number.
    """
    gallery_pids, gallery_camids = gallery
    members = np.argsort(gallery_pids, kind="stable")
    members = members[kept[members]]
    identities, starts = np.unique(gallery_pids[members], return_index=True)
    places = np.searchsorted(identities, query[0])
    known = np.isin(query[0], identities)
    groups = np.where(known, places, -1)
    starts = np.append(starts, len(members))
    scores = np.full((len(groups), NUM_SCORES), np.nan)
    scores[:, FIRST_MATCH] = 0
    if images is None:
        images = np.full(len(groups), -1), np.full(len(gallery_pids), -1)
    done = 0
    for block in blocks:
        rows = slice(done, done + len(block))
        done += len(block)
        score_rows(
            np.ascontiguousarray(block),
            kept.view(np.uint8),
            starts,
            members,
            groups[rows],
            query[1][rows],
            gallery_camids,
            images[0][rows],
            images[1],
            scores[rows],
        )
        if (scores[rows, FIRST_MATCH] < 0).any():
            raise ValueError("a distance is not a number (NaN): check the features before scoring them")
    return scores
