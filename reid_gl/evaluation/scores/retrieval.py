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
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.evaluation.scores.row_scores import score_blocks

logger = logging.getLogger(__name__)

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RetrievalResult:
    """Scores of image retrieval, all in [0, 1]: means over the queries that have a match.

    Attributes:
        recall_at: for each K, share of queries with a match among the K nearest.
        map_at_r: MAP@R. With R the number of the query's matches, the mean over the R nearest images of the
            precision at that image if it is a match, else 0.
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
    """Score the retrieval of images with the same label.

    An image that searches all others never finds itself, but it does find its duplicates. Queries without
    a match are counted but not scored; a log message reports their number.

    Args:
        features: (M, D) of the queries.
        labels: (M,) any whole numbers; there is no junk.
        gallery_features: (G, D); None if every query searches all other queries.
        gallery_labels: (G,), required with gallery_features.
        ks: values of K for Recall@K, each from 1 to the number of images that a query searches.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking, which compares unit vectors if the metric is cosine.
        max_memory_gb: memory limit of re-ranking, in addition to the features.
        images: image numbers (M,) and (G,) that identify images in both query and gallery; -1 for others.

    Returns:
        Scores in [0, 1], recall_at in the order of ks.

    Raises:
        ValueError: shapes disagree, features are not finite, a K is out of range, only one of
            gallery_features and gallery_labels is given, or no query has a match.

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
        # each image is a group of its own, so that it does not find itself
        other_labels, rules = labels, [GroupRule(own, own)]
        num_searched = len(labels) - 1
    else:
        num_searched = len(gallery_features)
        other_labels = whole_numbers("gallery_labels", np.asarray(gallery_labels), num_searched)
        rules = [] if images is None else [GroupRule(*images)]
    _check_ks(ks, num_searched)
    blocks = feature_distances(
        features, gallery_features, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb
    )
    scores = score_blocks(blocks, labels, other_labels, np.ones(len(other_labels), dtype=np.bool_), rules)
    return _summarise(scores, ks, num_searched)


def _check_ks(ks: Sequence[int], num_searched: int) -> None:
    for k in ks:
        if not 1 <= k <= num_searched or k != int(k):
            raise ValueError(
                f"Recall@K needs whole K from 1 to the {num_searched} images that a query searches, got {k}"
            )


def _summarise(scores: NDArray[np.float64], ks: Sequence[int], num_searched: int) -> RetrievalResult:
    """Average the scores of score_blocks over the queries that have a match."""
    scored = scores[scores[:, FIRST_MATCH] > 0]
    if not len(scored):
        raise ValueError(
            f"none of the {len(scores)} queries has an image of its label among the {num_searched} that it "
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
