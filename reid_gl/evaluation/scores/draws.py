"""SYSU-MM01's protocol: several small galleries are drawn, people are ranked, and scores are averaged.

Two rules differ from Market-1501's. A query skips all gallery images of its own camera, whoever they show.
And the CMC curve ranks people, each by the nearest image, while the average precision ranks images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features, distance_blocks
from reid_gl.evaluation.scores.counting import FIRST_MATCH, NUM_SCORES, RECTANGLE
from reid_gl.evaluation.scores.identities import check_identities
from reid_gl.evaluation.scores.row_scores import score_blocks
from reid_gl.evaluation.scores.summary import summarise, why_nothing
from reid_gl.records import JUNK_PID, Features, RankingResult

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


def evaluate_draws(
    query: Features,
    gallery: Features,
    draws: Sequence[Sequence[int]],
    *,
    metric: str = "cosine",
    use_cameras: bool = True,
    max_rank: int = 50,
) -> RankingResult:
    """Score the queries against each drawn gallery, and average over the draws.

    Args:
        query: Q features.
        gallery: G features to draw from.
        draws: for each draw, rows of the gallery.
        metric: "cosine" or "euclidean".
        use_cameras: skip gallery images of the query's camera. Cameras are places: two cameras in one place
            have the same number.
        max_rank: length of the CMC curve.

    Returns:
        Means over the draws. The average precision of a query is its mean over the draws in which it has a
        match, its first match the first one of them, num_scored and num_gallery are those of the first draw.

    Raises:
        ValueError: a draw is empty or names rows that do not exist, shapes disagree, features are not finite,
            or no query has a match in one of the draws.

    Source: Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification", ICCV 2017, section 5; the
        rules are those of the authors' evaluation code.
    """
    check_features(query.embeddings, gallery.embeddings)
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")
    sides = [
        check_identities(name, side.pids, side.camids if use_cameras else None, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    ]
    results, all_scores = [], []
    for number, draw in enumerate(draws, start=1):
        rows = np.asarray(draw, dtype=np.int64)
        if not len(rows) or rows.min() < 0 or rows.max() >= len(gallery.embeddings):
            raise ValueError(
                f"draw {number} must name rows of the gallery, 0 to {len(gallery.embeddings) - 1:,}, and at "
                f"least one, got {len(rows)} from {rows.min(initial=0)} to {rows.max(initial=0)}"
            )
        rows = rows[sides[1][0][rows] != JUNK_PID]
        drawn = (sides[1][0][rows], sides[1][1][rows])
        scores = _score_draw((query.embeddings, *sides[0]), (gallery.embeddings[rows], *drawn), metric)
        if not (scores[:, FIRST_MATCH] > 0).any():
            raise ValueError(f"draw {number}: {why_nothing(sides[0][0], drawn[0])}")
        results.append(summarise(scores, num_gallery=len(rows), max_rank=max_rank))
        all_scores.append(scores)
    return _mean(results, np.stack(all_scores))


Side = tuple[Floats, Ints, Ints]
"""Features, identities and cameras."""


def _score_draw(query: Side, gallery: Side, metric: str) -> NDArray[np.float64]:
    """Score one gallery; (Q, NUM_SCORES), with ranks of people in FIRST_MATCH."""
    scores = np.full((len(query[1]), NUM_SCORES), np.nan)
    scores[:, FIRST_MATCH] = 0
    for camid in np.unique(query[2]).tolist():
        rows = np.flatnonzero(query[2] == camid)
        searched = np.flatnonzero((gallery[2] != camid) | (camid < 0))
        if not len(searched):
            continue
        pids = gallery[1][searched]
        order = np.argsort(pids, kind="stable")
        people, starts = np.unique(pids[order], return_index=True)
        everything = np.ones(len(searched), dtype=np.bool_)
        done = 0
        for block in distance_blocks(query[0][rows], gallery[0][searched], metric=metric):
            own = rows[done : done + len(block)]
            done += len(block)
            nearest = np.minimum.reduceat(block[:, order], starts, axis=1)  # (B, people)
            of_people = score_blocks([nearest], query[1][own], people, everything[: len(people)], [])
            scores[own] = score_blocks([block], query[1][own], pids, everything, [])
            scores[own, FIRST_MATCH] = of_people[:, FIRST_MATCH]
    return scores


def _mean(results: Sequence[RankingResult], scores: NDArray[np.float64]) -> RankingResult:
    """Average the results of the draws; scores are (draws, Q, NUM_SCORES)."""
    found = scores[:, :, FIRST_MATCH] > 0
    sums = np.where(found, scores[:, :, RECTANGLE], 0.0).sum(axis=0)
    counts = found.sum(axis=0)
    first = np.take_along_axis(scores[:, :, FIRST_MATCH], found.argmax(axis=0)[None], axis=0)[0]
    return RankingResult(
        cmc=np.mean([result.cmc for result in results], axis=0),
        mean_ap=float(np.mean([result.mean_ap for result in results])),
        mean_ap_trapezoid=float(np.mean([result.mean_ap_trapezoid for result in results])),
        mean_inp=float(np.mean([result.mean_inp for result in results])),
        num_queries=results[0].num_queries,
        num_scored=results[0].num_scored,
        num_gallery=results[0].num_gallery,
        average_precision=np.where(counts > 0, sums / np.maximum(counts, 1), np.nan),
        first_match=first.astype(np.int64),
    )
