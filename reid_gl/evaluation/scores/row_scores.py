"""Per-query scores from blocks of distances; ranking and retrieval share them."""

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
    """Score blocks of distances (B, G), which contain the queries in order.

    Args:
        blocks: blocks that make up (Q, G) together; larger is more different.
        query: identities and cameras, (Q,) each; camera -1 (unknown) differs from every camera.
        gallery: identities and cameras, (G,) each; images with the query's identity and camera are ignored.
        kept: (G,) True for images that are not junk.
        images: image numbers (Q,) and (G,), equal for the same image in query and gallery; a query does not
            match its own image. -1 differs from every image. None if no image is on both sides.

    Returns:
        (Q, NUM_SCORES) with the columns named in `counting`. A query without a match has FIRST_MATCH 0 and
        NaN in the other columns.

    Raises:
        ValueError: a distance is NaN.
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
