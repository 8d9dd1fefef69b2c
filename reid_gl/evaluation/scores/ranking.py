"""CMC, mAP and mINP under the Market-1501 protocol, without sorting the gallery.

Only the ranks of the matches matter. For each match, `counting` counts the wrong images at the same or a
smaller distance. At equal distances, wrong images rank first (pessimistic). The result therefore does not
depend on the order of the gallery, and a network that gives every image the same feature scores badly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.feature_distances import feature_distances
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.counting import FIRST_MATCH
from reid_gl.evaluation.scores.draws import evaluate_draws
from reid_gl.evaluation.scores.identities import check_distances, whole_numbers
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.evaluation.scores.person_search import evaluate_person_search
from reid_gl.evaluation.scores.row_scores import score_blocks
from reid_gl.evaluation.scores.sides import Sides, prepare
from reid_gl.evaluation.scores.summary import summarise, why_nothing
from reid_gl.records import JUNK_PID, Features, RankingResult, SceneSearch

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """The distances that features are scored by, with what scoring needs to know of each row and column.

    Attributes:
        blocks: blocks (B, G) that make up (Q, G) together; they can be read once.
        sides: identities, rules and places of the Q queries and G gallery images.
    """

    blocks: Iterable[Floats]
    sides: Sides


def evaluate_ranking(
    distances: Floats,
    query_pids: Ints,
    gallery_pids: Ints,
    query_camids: Ints | None = None,
    gallery_camids: Ints | None = None,
    *,
    rules: Sequence[GroupRule] = (),
    junk_pid: int = JUNK_PID,
    max_rank: int = 50,
) -> RankingResult:
    """Score a matrix of distances.

    Gallery images with the query's identity and camera are ignored, and so are junk images. Without camera
    ids there is no camera rule. Clothes and other groups work in the same way, see GroupRule.

    Args:
        distances: (Q, G), larger is more different.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities; 0, a distractor, is wrong for every query of another identity. Data
            sets that number identities from 0 also work: a query of identity 0 matches images of identity 0.
        query_camids: (Q,) cameras, or None.
        gallery_camids: (G,) cameras, or None.
        rules: further rules for images of the query's identity.
        junk_pid: identity of gallery images to ignore.
        max_rank: length of the CMC curve; it stays flat beyond the gallery's size.

    Returns:
        Scores in [0, 1]; queries without a match are counted and not scored.

    Raises:
        ValueError: shapes disagree, a distance is NaN, only one side has cameras, or no query has a match.

    Source:
        Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, section 5.
    """
    distances, query, gallery = check_distances(
        distances, (query_pids, query_camids), (gallery_pids, gallery_camids)
    )
    for rule in rules:
        for side, groups, pids in (("query", rule.query, query[0]), ("gallery", rule.gallery, gallery[0])):
            whole_numbers(f"the groups of the {side}", groups, len(pids))
    cameras = GroupRule(query[1], gallery[1])
    return _score([distances], query[0], gallery[0], [cameras, *rules], junk_pid=junk_pid, max_rank=max_rank)


def evaluate_features(
    query: Features,
    gallery: Features | None = None,
    *,
    metric: str = "cosine",
    rerank: RerankSettings | GnnRerankSettings | None = None,
    max_memory_gb: float | None = None,
    use_cameras: bool = True,
    max_rank: int = 50,
    draws: Sequence[Sequence[int]] = (),
    search: SceneSearch | None = None,
) -> RankingResult:
    """Score features without holding all Q x G distances in memory.

    Args:
        query: Q features with identities and cameras.
        gallery: G features; junk (-1) is ignored. If both sides have image numbers (`images`), a query does
            not match its own image. None if every query searches all other queries.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking, which compares unit vectors if the metric is cosine; or
            settings of GNN re-ranking, its approximation, for cosine only; None for no re-ranking.
        max_memory_gb: memory limit of re-ranking, in addition to the features.
        use_cameras: leave out gallery images of the query's own identity and camera.
        max_rank: length of the CMC curve.
        draws: rows of the gallery for each of several galleries; scores are means over them (see
            evaluate_draws). Empty for one gallery, the whole one.
        search: the scenes that each query searches (see evaluate_person_search); identities and cameras then
            do not count. None if every query searches every gallery image.

    Returns:
        The same scores as evaluate_ranking for these distances.

    Raises:
        ValueError: see evaluate_ranking; also if the dimensions of the two sides differ, or features are not
            finite (the message names the rows).
    """
    settings: dict[str, Any] = {
        "metric": metric,
        "rerank": rerank,
        "max_memory_gb": max_memory_gb,
    }
    if search is not None:
        if gallery is None:
            raise ValueError("person search needs a gallery: the boxes of the scenes")
        return evaluate_person_search(query, gallery, search, max_rank=max_rank, **settings)
    if draws:
        if gallery is None:
            raise ValueError("galleries that are drawn need a gallery to draw from")
        return evaluate_draws(
            query,
            gallery,
            draws,
            use_cameras=use_cameras,
            max_rank=max_rank,
            **settings,
        )
    comparison = compare_features(query, gallery, use_cameras=use_cameras, **settings)
    return score_comparison(comparison, max_rank=max_rank)


def compare_features(
    query: Features,
    gallery: Features | None,
    *,
    metric: str,
    rerank: RerankSettings | GnnRerankSettings | None,
    max_memory_gb: float | None,
    use_cameras: bool,
) -> Comparison:
    """Prepare the distances that evaluate_features scores; for arguments and errors see there."""
    sides = prepare(query, gallery, use_cameras=use_cameras, drop_junk=rerank is not None)
    blocks = feature_distances(
        sides.query, sides.gallery, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb
    )
    return Comparison(blocks, sides)


def score_comparison(comparison: Comparison, *, max_rank: int = 50) -> RankingResult:
    """Score prepared distances, which are read once; for the result and errors see evaluate_features."""
    sides = comparison.sides
    pids, rules = (sides.query_pids, sides.gallery_pids), sides.rules
    return _score(comparison.blocks, *pids, rules, junk_pid=JUNK_PID, max_rank=max_rank)


def _score(
    blocks: Iterable[Floats],
    query_pids: Ints,
    gallery_pids: Ints,
    rules: Sequence[GroupRule],
    *,
    junk_pid: int,
    max_rank: int,
) -> RankingResult:
    """Score blocks of distances (B, G), which contain the queries in order."""
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")
    kept = gallery_pids != junk_pid
    scores = score_blocks(blocks, query_pids, gallery_pids, kept, rules)
    if not (scores[:, FIRST_MATCH] > 0).any():
        raise ValueError(why_nothing(query_pids, gallery_pids[kept]))
    return summarise(scores, num_gallery=int(kept.sum()), max_rank=max_rank)
