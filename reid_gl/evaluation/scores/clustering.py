"""Agreement between k-means clusters of features and labels: NMI, AMI and F1."""

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
        nmi: mutual information divided by the mean of both entropies, in [0, 1].
        ami: mutual information adjusted for chance; at most 1, around 0 for random clusters.
        f1: harmonic mean of precision and recall of the pairs that share a cluster, in [0, 1].
        num_clusters: number of clusters requested, equal to the number of distinct labels.
    """

    nmi: float
    ami: float
    f1: float
    num_clusters: int


def evaluate_clustering(
    features: Floats, labels: Ints, *, seed: int = 0, metric: str = "cosine"
) -> ClusteringResult:
    """Cluster features with k-means, one cluster per distinct label, and score the clusters.

    Args:
        features: (M, D).
        labels: (M,) any whole numbers.
        seed: seed of k-means.
        metric: "cosine" clusters unit vectors, "euclidean" the features as given.

    Returns:
        Scores of one run of k-means. With a single label all of them are 1.

    Raises:
        ValueError: shapes disagree, features are not finite, or the metric is unknown.

    Source:
        Vinh, Epps and Bailey, "Information Theoretic Measures for Clusterings Comparison", JMLR 2010 (NMI,
        AMI); Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section 16.3 (F1).
    """
    # imported here because the import takes seconds
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    check_rows("features", features)
    known, numbers = np.unique(whole_numbers("labels", labels, len(features)), return_inverse=True)
    logger.info("k-means of %d images, %d clusters", len(features), len(known))
    clusters = k_means(compared_rows(features, metric), len(known), seed=seed)
    return ClusteringResult(
        nmi=float(normalized_mutual_info_score(numbers, clusters)),
        ami=float(adjusted_mutual_info_score(numbers, clusters)),
        f1=pair_f1(numbers, clusters),
        num_clusters=len(known),
    )


def pair_f1(labels: Ints, clusters: Ints) -> float:
    """F1 of predicting that two rows share a label if they share a cluster; 1 if no pair shares either.

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
    """Count the pairs of positions with the same group number."""
    sizes = np.unique(groups, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())
