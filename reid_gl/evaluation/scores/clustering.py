"""How well clusters of features agree with labels: NMI, AMI and F1."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_rows
from reid_gl.evaluation.feature_distances import compared_rows
from reid_gl.evaluation.scores.identities import whole_numbers
from reid_gl.evaluation.scores.k_means import k_means

logger = logging.getLogger(__name__)

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ClusteringResult:
    """Agreement of clusters with labels; 1 is perfect.

    Attributes:
        nmi: mutual information over the mean of both entropies, in [0, 1].
        ami: the same after what chance would give has been taken off; at most 1, around 0 for chance.
        f1: harmonic mean of precision and recall of the pairs that share a cluster, in [0, 1].
        num_clusters: clusters asked for, as many as there are labels.
    """

    nmi: float
    ami: float
    f1: float
    num_clusters: int


def evaluate_clustering(
    features: Floats, labels: Ints, *, seed: int = 0, metric: str = "cosine"
) -> ClusteringResult:
    """Score k-means with as many clusters as there are labels.

    Args:
        features: (M, D).
        labels: (M,) any whole numbers.
        seed: of k-means.
        metric: "cosine" for clusters of unit vectors, or "euclidean".

    Returns:
        Scores of one run of k-means. With a single label all of them are 1.

    Raises:
        ValueError: shapes disagree, features are not finite, or an unknown metric.

    Source:
        Vinh, Epps and Bailey, "Information Theoretic Measures for Clusterings Comparison", JMLR 2010 (NMI,
        AMI); Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section 16.3 (F1).
    """
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score  # seconds to load

    check_rows("features", features)
    known, numbers = np.unique(whole_numbers("labels", labels, len(features)), return_inverse=True)
    logger.info("k-means of %d pictures, %d clusters", len(features), len(known))
    clusters = k_means(compared_rows(features, metric), len(known), seed=seed)
    return ClusteringResult(
        nmi=float(normalized_mutual_info_score(numbers, clusters)),
        ami=float(adjusted_mutual_info_score(numbers, clusters)),
        f1=pair_f1(numbers, clusters),
        num_clusters=len(known),
    )


def pair_f1(labels: Ints, clusters: Ints) -> float:
    """F1 of pairs that share a cluster as a guess of those that share a label; 1 if there are neither.

    Args:
        labels: (M,) numbers from 0.
        clusters: (M,) numbers from 0.
    """
    cells = labels * (clusters.max() + 1) + clusters
    num_both, num_same_label, num_same_cluster = (_num_pairs(groups) for groups in (cells, labels, clusters))
    if num_same_label + num_same_cluster == 0:
        return 1.0
    return 2 * num_both / (num_same_label + num_same_cluster)


def _num_pairs(groups: Ints) -> int:
    """Pairs of places with the same number."""
    sizes = np.unique(groups, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())
