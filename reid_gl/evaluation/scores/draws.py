"""SYSU-MM01's protocol: several small galleries are drawn, people are ranked, and scores are averaged.

Two rules differ from Market-1501's. A query skips all gallery images of its own camera, whoever they show.
And the CMC curve ranks people, each by the nearest image, while the average precision ranks images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.feature_distances import feature_distances
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.counting import FIRST_MATCH, NUM_SCORES
from reid_gl.evaluation.scores.identities import check_identities, whole_numbers
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
    rerank: RerankSettings | GnnRerankSettings | None = None,
    max_memory_gb: float | None = None,
    use_cameras: bool = True,
    max_rank: int = 50,
) -> RankingResult:
    """Score the queries against each drawn gallery, and average over the draws.

    Args:
        query: Q features.
        gallery: G features to draw from.
        draws: for each draw, rows of the gallery.
        metric: "cosine" or "euclidean".
        rerank: see evaluate_features. Each draw is re-ranked by itself: the neighbours of an image are sought
            among all queries and the drawn gallery, without junk; the camera only decides what is scored.
        max_memory_gb: see evaluate_features.
        use_cameras: skip gallery images of the query's camera. Cameras are places: two cameras in one place
            have the same number.
        max_rank: length of the CMC curve.

    Returns:
        Means over the draws, see mean_over_draws.

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
    results = []
    for number, rows in enumerate(drawn_rows(draws, len(gallery.embeddings)), start=1):
        rows = rows[sides[1][0][rows] != JUNK_PID]
        drawn = (sides[1][0][rows], sides[1][1][rows])
        blocks: Iterable[Floats] = ()
        if len(rows):
            embeddings = (query.embeddings, gallery.embeddings[rows])
            blocks = feature_distances(*embeddings, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb)
        scores = _score_draw(blocks, sides[0], drawn)
        if not (scores[:, FIRST_MATCH] > 0).any():
            raise ValueError(f"draw {number}: {why_nothing(sides[0][0], drawn[0])}")
        results.append(summarise(scores, num_gallery=len(rows), max_rank=max_rank))
    return mean_over_draws(results)


def drawn_rows(draws: Sequence[Sequence[int]], num_gallery: int) -> list[Ints]:
    """Return the rows of each draw, checked.

    Raises:
        ValueError: a draw is empty, does not hold whole numbers, or names rows that do not exist.
    """
    checked = [
        whole_numbers(f"draw {number}", np.asarray(draw), len(draw)) for number, draw in enumerate(draws, 1)
    ]
    for number, rows in enumerate(checked, start=1):
        if not len(rows) or rows.min() < 0 or rows.max() >= num_gallery:
            raise ValueError(
                f"draw {number} must name rows of the gallery, 0 to {num_gallery - 1:,}, and at least one, "
                f"got {len(rows)} from {rows.min(initial=0)} to {rows.max(initial=0)}"
            )
    return checked


def mean_over_draws(results: Sequence[RankingResult]) -> RankingResult:
    """Average the results of the same queries in several drawn galleries.

    The average precision of a query is its mean over the draws in which it has a match, its first match that
    of the first of these draws. num_scored and num_gallery are those of the first draw.
    """
    first_matches = np.stack([result.first_match for result in results])
    found = first_matches > 0
    precisions = np.stack([result.average_precision for result in results])
    counts = found.sum(axis=0)
    return RankingResult(
        cmc=np.mean([result.cmc for result in results], axis=0),
        mean_ap=float(np.mean([result.mean_ap for result in results])),
        mean_ap_trapezoid=float(np.mean([result.mean_ap_trapezoid for result in results])),
        mean_inp=float(np.mean([result.mean_inp for result in results])),
        num_queries=results[0].num_queries,
        num_scored=results[0].num_scored,
        num_gallery=results[0].num_gallery,
        average_precision=np.where(
            counts > 0, np.where(found, precisions, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan
        ),
        first_match=np.take_along_axis(first_matches, found.argmax(axis=0)[None], axis=0)[0],
    )


def _score_draw(
    blocks: Iterable[Floats], query: tuple[Ints, Ints], gallery: tuple[Ints, Ints]
) -> NDArray[np.float64]:
    """Score one gallery from its distances and both sides' identities and cameras; (Q, NUM_SCORES)."""
    scores = np.full((len(query[0]), NUM_SCORES), np.nan)
    scores[:, FIRST_MATCH] = 0
    done = 0
    for block in blocks:
        pids, camids = (side[done : done + len(block)] for side in query)
        for camid in np.unique(camids).tolist():
            asking = np.flatnonzero(camids == camid)
            searched = np.flatnonzero((gallery[1] != camid) | (camid < 0))
            if len(searched):
                distances = block[np.ix_(asking, searched)]
                scores[done + asking] = _score_people(distances, pids[asking], gallery[0][searched])
        done += len(block)
    return scores


def _score_people(distances: Floats, query_pids: Ints, gallery_pids: Ints) -> NDArray[np.float64]:
    """Score distances (B, G) without rules; (B, NUM_SCORES), with ranks of people in FIRST_MATCH."""
    order = np.argsort(gallery_pids, kind="stable")
    people, starts = np.unique(gallery_pids[order], return_index=True)
    nearest = np.minimum.reduceat(distances[:, order], starts, axis=1)  # (B, people)
    everything = np.ones(len(gallery_pids), dtype=np.bool_)
    scores = score_blocks([distances], query_pids, gallery_pids, everything, [])
    of_people = score_blocks([nearest], query_pids, people, everything[: len(people)], [])
    scores[:, FIRST_MATCH] = of_people[:, FIRST_MATCH]
    return scores
