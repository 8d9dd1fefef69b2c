"""The scores that image retrieval reports."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.clustering import evaluate_clustering
from reid_gl.evaluation.scores.retrieval import evaluate_retrieval
from reid_gl.records import Features

logger = logging.getLogger(__name__)


def score_retrieval(
    query: Features,
    gallery: Features | None,
    *,
    ks: tuple[int, ...],
    clustering: bool,
    metric: str,
    rerank: RerankSettings | None,
    max_memory_gb: float | None,
) -> dict[str, Any]:
    """Compute Recall@K, MAP@R and R-precision, and how well clusters of all images agree with the classes.

    Args:
        query: features of the queries.
        gallery: features of the gallery; None if every query searches all the others.
        ks: the K of Recall@K; those beyond the number of images searched are left out.
        clustering: run k-means too.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking, which does not affect clustering; None for none.
        max_memory_gb: memory that re-ranking may use in addition to the features.

    Returns:
        "recall@1" and so on, "MAP@R", "R-precision", and "NMI", "AMI", "F1", all in [0, 1].
    """
    num_searched = len(query.pids) - 1 if gallery is None else len(gallery.pids)
    if too_large := [k for k in ks if k > num_searched]:
        logger.warning("a query searches only %d images: no Recall@%s", num_searched, too_large)
    images = None
    if gallery is not None and query.images is not None and gallery.images is not None:
        images = (query.images, gallery.images)
    result = evaluate_retrieval(
        query.embeddings,
        query.pids,
        gallery_features=None if gallery is None else gallery.embeddings,
        gallery_labels=None if gallery is None else gallery.pids,
        ks=[k for k in ks if k <= num_searched],
        metric=metric,
        rerank=rerank,
        max_memory_gb=max_memory_gb,
        images=images,
    )
    scores = {f"recall@{k}": value for k, value in result.recall_at.items()}
    scores |= {"MAP@R": result.map_at_r, "R-precision": result.r_precision}
    if clustering:
        sides = [query] if gallery is None else [query, gallery]
        found = evaluate_clustering(
            np.concatenate([side.embeddings for side in sides]),
            np.concatenate([side.pids for side in sides]),
            metric=metric,
        )
        scores |= {"NMI": found.nmi, "AMI": found.ami, "F1": found.f1}
    return scores
