"""F1 of pairs, and one round of k-means, image by image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def slow_pair_f1(labels: Sequence[int], clusters: Sequence[int]) -> float:
    """Harmonic mean of precision and recall over all pairs of images; needs a pair of each kind."""
    pairs = list(itertools.combinations(range(len(labels)), 2))
    same_label = [labels[i] == labels[j] for i, j in pairs]
    same_cluster = [clusters[i] == clusters[j] for i, j in pairs]
    num_both = sum(a and b for a, b in zip(same_label, same_cluster, strict=True))
    precision, recall = num_both / sum(same_cluster), num_both / sum(same_label)
    return 2 * precision * recall / (precision + recall) if num_both else 0.0


def slow_nearest_means(rows: Sequence[Sequence[float]], clusters: Sequence[int]) -> list[int]:
    """For each row the cluster whose mean is nearest: what k-means has found does not change."""
    means = {}
    for cluster in sorted(set(clusters)):
        members = [row for row, own in zip(rows, clusters, strict=True) if own == cluster]
        means[cluster] = [sum(column) / len(members) for column in zip(*members, strict=True)]
    return [min(means, key=lambda cluster: _squared(row, means[cluster])) for row in rows]


def _squared(first: Sequence[float], second: Sequence[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
