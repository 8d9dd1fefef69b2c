"""CMC, mAP and mINP under the Market-1501 protocol, without sorting the gallery.

Only the ranks of the matches matter. For each match, `counting` counts the wrong images at the same or a
smaller distance. At equal distances, wrong images rank first (pessimistic). The result therefore does not
depend on the order of the gallery, and a network that gives every image the same feature scores badly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.feature_distances import feature_distances
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.counting import FIRST_MATCH, INVERSE_PENALTY, RECTANGLE, TRAPEZOID
from reid_gl.evaluation.scores.identities import check_distances, check_identities
from reid_gl.evaluation.scores.row_scores import score_blocks
from reid_gl.records import JUNK_PID, Features, RankingResult

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """The distances that features are scored by, with what scoring needs to know of each row and column.

    Attributes:
        blocks: blocks (B, G) that make up (Q, G) together; they can be read once.
        query: identities and cameras, (Q,) each; camera -1 differs from every camera.
        gallery: identities and cameras, (G,) each.
        images: image numbers (Q,) and (G,), see score_blocks; None if no image is on both sides.
        rows: places of the queries and gallery images among the features given, (Q,) and (G,).
    """

    blocks: Iterable[Floats]
    query: tuple[Ints, Ints]
    gallery: tuple[Ints, Ints]
    images: tuple[Ints, Ints] | None
    rows: tuple[Ints, Ints]


def evaluate_ranking(
    distances: Floats,
    query_pids: Ints,
    gallery_pids: Ints,
    query_camids: Ints | None = None,
    gallery_camids: Ints | None = None,
    *,
    junk_pid: int = JUNK_PID,
    max_rank: int = 50,
) -> RankingResult:
    """Score a matrix of distances.

    Gallery images with the query's identity and camera are ignored, and so are junk images. Without camera
    ids there is no camera rule.

    Args:
        distances: (Q, G), larger is more different.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities; 0, a distractor, is wrong for every query of another identity. Data
            sets that number identities from 0 also work: a query of identity 0 matches images of identity 0.
        query_camids: (Q,) cameras, or None.
        gallery_camids: (G,) cameras, or None.
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
    return _score([distances], query, gallery, junk_pid=junk_pid, max_rank=max_rank)


def evaluate_features(
    query: Features,
    gallery: Features | None = None,
    *,
    metric: str = "cosine",
    rerank: RerankSettings | GnnRerankSettings | None = None,
    max_memory_gb: float | None = None,
    use_cameras: bool = True,
    max_rank: int = 50,
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

    Returns:
        The same scores as evaluate_ranking for these distances.

    Raises:
        ValueError: see evaluate_ranking; also if the dimensions of the two sides differ, or features are not
            finite (the message names the rows).
    """
    comparison = compare_features(
        query,
        gallery,
        metric=metric,
        rerank=rerank,
        max_memory_gb=max_memory_gb,
        use_cameras=use_cameras,
    )
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
    rows = (
        np.arange(len(query.embeddings)),
        np.arange(len(query.embeddings if gallery is None else gallery.embeddings)),
    )
    searches_itself = gallery is None
    if gallery is None:
        rows = (np.flatnonzero(query.pids != JUNK_PID),) * 2
        query = gallery = with_own_cameras(query, use_cameras)
        use_cameras = True
    check_features(query.embeddings, gallery.embeddings)
    sides = [
        check_identities(name, side.pids, side.camids if use_cameras else None, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    ]
    images = None
    if not searches_itself and query.images is not None and gallery.images is not None:
        images = (query.images, gallery.images)
    searched = None if searches_itself else gallery.embeddings
    if rerank is not None:  # re-ranking must not use junk as neighbours
        kept = sides[1][0] != JUNK_PID
        sides[1] = (sides[1][0][kept], sides[1][1][kept])
        searched = None if searched is None else searched[kept]
        images = None if images is None else (images[0], images[1][kept])
        rows = rows[0], rows[1][kept]
    blocks = feature_distances(
        query.embeddings, searched, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb
    )
    return Comparison(blocks, sides[0], sides[1], images, rows)


def score_comparison(comparison: Comparison, *, max_rank: int = 50) -> RankingResult:
    """Score prepared distances, which are read once; for the result and errors see evaluate_features."""
    return _score(
        comparison.blocks,
        comparison.query,
        comparison.gallery,
        junk_pid=JUNK_PID,
        max_rank=max_rank,
        images=comparison.images,
    )


def with_own_cameras(features: Features, use_cameras: bool) -> Features:
    """Remove junk, and give each image without a camera a unique one, so that no image matches itself."""
    kept = features.pids != JUNK_PID
    camids = features.camids[kept] if use_cameras else np.full(int(kept.sum()), -1)
    # renumber cameras from 0, so that the unique ones, which start at len(camids), cannot collide with them
    known = np.unique(camids, return_inverse=True)[1]
    own = np.where(camids < 0, len(camids) + np.arange(len(camids)), known)
    return Features(features.embeddings[kept], features.pids[kept], own)


def _score(
    blocks: Iterable[Floats],
    query: tuple[Ints, Ints],
    gallery: tuple[Ints, Ints],
    *,
    junk_pid: int,
    max_rank: int,
    images: tuple[Ints, Ints] | None = None,
) -> RankingResult:
    """Score blocks of distances (B, G), which contain the queries in order."""
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")
    kept = gallery[0] != junk_pid
    scores = score_blocks(blocks, query, gallery, kept, images=images)
    if not (scores[:, FIRST_MATCH] > 0).any():
        raise ValueError(_why_nothing(query[0], gallery[0][kept]))
    return _summarise(scores, num_gallery=int(kept.sum()), max_rank=max_rank)


def _why_nothing(query_pids: Ints, gallery_pids: Ints) -> str:
    """Return the error message for queries without any match, including what to do."""
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


def _summarise(scores: NDArray[np.float64], *, num_gallery: int, max_rank: int) -> RankingResult:
    """Average the scores of score_rows over the queries that have a match."""
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
