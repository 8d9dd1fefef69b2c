"""Recall@K, MAP@R and R-precision of image retrieval, without sorting the gallery.

As in ranking, equal distances rank the wrong images first (pessimistic).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.feature_distances import feature_distances
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.counting import FIRST_MATCH, MAP_AT_R, R_PRECISION
from reid_gl.evaluation.scores.identities import whole_numbers
from reid_gl.evaluation.scores.row_scores import score_blocks

logger = logging.getLogger(__name__)

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RetrievalResult:
    """Scores of image retrieval, all in [0, 1]: means over the queries that have a match.

    Attributes:
        recall_at: for each K, share of queries with a match among the K nearest.
        map_at_r: mean over the R nearest of the precision up to each that is a match, and 0 for the others;
            R is the number of the query's matches.
        r_precision: share of matches among the R nearest.
        num_queries: queries given.
        num_scored: queries that have a match in the gallery; only these count.
    """

    recall_at: dict[int, float]
    map_at_r: float
    r_precision: float
    num_queries: int
    num_scored: int


def evaluate_retrieval(
    features: Floats,
    labels: Ints,
    *,
    gallery_features: Floats | None = None,
    gallery_labels: Ints | None = None,
    ks: Sequence[int] = (1, 2, 4, 8),
    metric: str = "cosine",
    rerank: RerankSettings | None = None,
    max_memory_gb: float | None = None,
    images: tuple[Ints, Ints] | None = None,
) -> RetrievalResult:
    """Score the search for pictures of the same label.

    A picture that searches all the others never finds itself, but it does find its duplicates. Queries
    without a match are counted and not scored; a log line says how many there are.

    Args:
        features: (M, D) of the queries.
        labels: (M,) any whole numbers; there is no junk.
        gallery_features: (G, D); None if every query searches all the others.
        gallery_labels: (G,), with gallery_features.
        ks: the K of Recall@K, from 1 to the number of pictures that a query searches.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking, on unit vectors where the metric is cosine.
        max_memory_gb: what re-ranking may use beyond the features.
        images: numbers (M,) and (G,) of an image that is query and gallery at once, see score_blocks.

    Returns:
        Scores in [0, 1], recall_at in the order of ks.

    Raises:
        ValueError: shapes disagree, features are not finite, a K is out of range, features and labels of the
            gallery are not given together, or no query has a match.

    Source:
        Musgrave, Belongie and Lim, "A Metric Learning Reality Check", ECCV 2020, section 3.2; Recall@K as in
        Oh Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding", CVPR 2016.
    """
    if (gallery_features is None) != (gallery_labels is None):
        raise ValueError("give gallery_features and gallery_labels, or neither: one alone has no meaning")
    check_features(features, features if gallery_features is None else gallery_features)
    labels = whole_numbers("labels", labels, len(features))
    own = np.arange(len(labels))
    if gallery_features is None:
        query = gallery = (labels, own)  # to each its own camera, which leaves out the picture itself
        num_searched = len(labels) - 1
    else:
        num_searched = len(gallery_features)
        other_labels = whole_numbers("gallery_labels", np.asarray(gallery_labels), num_searched)
        query, gallery = (labels, np.full_like(labels, -1)), (other_labels, np.full_like(other_labels, -1))
    _check_ks(ks, num_searched)
    blocks = feature_distances(
        features, gallery_features, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb
    )
    scores = score_blocks(blocks, query, gallery, np.ones(len(gallery[0]), dtype=np.bool_), images=images)
    return _summarise(scores, ks, num_searched)


def _check_ks(ks: Sequence[int], num_searched: int) -> None:
    for k in ks:
        if not 1 <= k <= num_searched or k != int(k):
            raise ValueError(
                f"Recall@K needs whole K from 1 to the {num_searched} pictures that a query searches, got {k}"
            )


def _summarise(scores: NDArray[np.float64], ks: Sequence[int], num_searched: int) -> RetrievalResult:
    """Means over the rows of score_blocks that have a match."""
    scored = scores[scores[:, FIRST_MATCH] > 0]
    if not len(scored):
        raise ValueError(
            f"none of the {len(scores)} queries has a picture of its label among the {num_searched} that it "
            "searches: check how the labels are read"
        )
    if len(scored) < len(scores):
        logger.warning(
            "%d of %d queries have no match and do not count", len(scores) - len(scored), len(scores)
        )
    return RetrievalResult(
        recall_at={int(k): float((scored[:, FIRST_MATCH] <= k).mean()) for k in ks},
        map_at_r=float(scored[:, MAP_AT_R].mean()),
        r_precision=float(scored[:, R_PRECISION].mean()),
        num_queries=len(scores),
        num_scored=len(scored),
    )
