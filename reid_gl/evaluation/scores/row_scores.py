"""Per-query scores from blocks of distances; ranking and retrieval share them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.scores.counting import FIRST_MATCH, NUM_SCORES, score_rows
from reid_gl.evaluation.scores.matching import GroupRule

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Rules = Sequence[GroupRule]


def score_blocks(
    blocks: Iterable[Floats], query_pids: Ints, gallery_pids: Ints, kept: NDArray[np.bool_], rules: Rules
) -> NDArray[np.float64]:
    """Score blocks of distances (B, G), which contain the queries in order.

    Args:
        blocks: blocks that make up (Q, G) together; larger is more different.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities.
        kept: (G,) True for images that are not junk.
        rules: what images of the query's identity must fulfil, all of them, to be matches.

    Returns:
        (Q, NUM_SCORES) with the columns named in `counting`. A query without a match has FIRST_MATCH 0 and
        NaN in the other columns.

    Raises:
        ValueError: a distance is NaN.
    """
    scores: NDArray[np.float64] = score_blocks_by(blocks, query_pids, gallery_pids, kept, [rules])[0]
    return scores


def score_blocks_by(
    blocks: Iterable[Floats],
    query_pids: Ints,
    gallery_pids: Ints,
    kept: NDArray[np.bool_],
    protocols: Sequence[Rules],
) -> NDArray[np.float64]:
    """Score the same blocks by several sets of rules; returns (S, Q, NUM_SCORES), else as score_blocks."""
    members = np.argsort(gallery_pids, kind="stable")
    members = members[kept[members]]
    identities, starts = np.unique(gallery_pids[members], return_index=True)
    places = np.searchsorted(identities, query_pids)
    groups = np.where(np.isin(query_pids, identities), places, -1)
    starts = np.append(starts, len(members))
    scores = np.full((len(protocols), len(groups), NUM_SCORES), np.nan)
    scores[:, :, FIRST_MATCH] = 0
    stacked = [_stack(rules, len(groups), len(gallery_pids)) for rules in protocols]
    done = 0
    for block in blocks:
        rows = slice(done, done + len(block))
        done += len(block)
        distances = np.ascontiguousarray(block)
        for (query_groups, gallery_groups, wants_same), own in zip(stacked, scores, strict=True):
            score_rows(
                distances,
                kept.view(np.uint8),
                starts,
                members,
                groups[rows],
                np.ascontiguousarray(query_groups[:, rows]),
                gallery_groups,
                wants_same,
                own[rows],
            )
        if (scores[:, rows, FIRST_MATCH] < 0).any():
            raise ValueError("a distance is not a number (NaN): check the features before scoring them")
    return scores


def _stack(rules: Rules, num_query: int, num_gallery: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return the groups (R, Q) and (R, G) of R rules, and which of them want the same group (R,)."""
    query, gallery = (
        np.empty((len(rules), num_query), np.int64),
        np.empty((len(rules), num_gallery), np.int64),
    )
    for place, rule in enumerate(rules):
        query[place], gallery[place] = rule.query, rule.gallery
    return query, gallery, np.array([rule.wants_same for rule in rules], dtype=np.bool_)
