"""Intervals of mean average precision and of its differences, and scores per pair of cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.records import Features, RankingResult

Ints = NDArray[np.int64]


def mean_ap_interval(
    result: RankingResult, *, level: float = 0.95, num_samples: int = 1_000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the mean average precision, resampling queries with replacement.

    The interval covers the choice of queries only. The gallery and the network stay fixed, so it says nothing
    about the variation between training runs.

    Args:
        result: scores with the average precision of each query.
        level: share of the bootstrap means inside the interval, in (0, 1).
        num_samples: number of bootstrap samples.
        seed: seed of the resampling.

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        ValueError: level or num_samples is out of range.

    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 1979.
    """
    precisions = result.average_precision[result.first_match > 0]
    means = _bootstrap_means(precisions, level, num_samples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedDifference:
    """How the mean average precision of two results for the same queries differs.

    Attributes:
        difference: second minus first.
        interval: bootstrap interval of the difference.
        share_not_above: share of the bootstrap differences that are 0 or negative, in [0, 1]; near 0 or 1
            means that the choice of queries hardly explains the difference.
        num_better: queries whose average precision is higher in the second.
        num_worse: queries whose average precision is lower in the second.
    """

    difference: float
    interval: tuple[float, float]
    share_not_above: float
    num_better: int
    num_worse: int


def paired_difference(
    first: RankingResult,
    second: RankingResult,
    *,
    level: float = 0.95,
    num_samples: int = 1_000,
    seed: int = 0,
) -> PairedDifference:
    """Bootstrap the difference of two mean average precisions, resampling queries with both their values.

    As for mean_ap_interval, gallery and networks stay fixed.

    Args:
        first: scores of some queries.
        second: scores of the same queries in the same order.
        level: share of the bootstrap differences inside the interval, in (0, 1).
        num_samples: number of bootstrap samples.
        seed: seed of the resampling.

    Raises:
        ValueError: level or num_samples is out of range, or the two did not score the same queries.

    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 1979.
    """
    scored = first.first_match > 0
    if not np.array_equal(scored, second.first_match > 0):
        raise ValueError(
            "the two results did not score the same queries: compare results of one data set and protocol"
        )
    differences = (second.average_precision - first.average_precision)[scored]
    means = _bootstrap_means(differences, level, num_samples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return PairedDifference(
        difference=second.mean_ap - first.mean_ap,
        interval=(float(low), float(high)),
        share_not_above=float((means <= 0).mean()),
        num_better=int((differences > 0).sum()),
        num_worse=int((differences < 0).sum()),
    )


def _bootstrap_means(
    values: NDArray[np.float64], level: float, num_samples: int, seed: int
) -> NDArray[np.float64]:
    """Return the means of samples of the values (N,), drawn with replacement."""
    if not 0 < level < 1 or num_samples < 1:
        raise ValueError(
            f"expected a level in (0, 1) and at least one sample, got {level} and {num_samples} samples"
        )
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(values, len(values)).mean() for _ in range(num_samples)])


@dataclass(frozen=True)
class CameraPair:
    """Scores of one camera's queries against the gallery images of one camera.

    Attributes:
        query_camid: camera of the queries.
        gallery_camid: camera of the gallery.
        result: scores; None if no query has a match in the gallery camera.
    """

    query_camid: int
    gallery_camid: int
    result: RankingResult | None


def evaluate_camera_pairs(
    query: Features,
    gallery: Features,
    *,
    metric: str = "cosine",
    rerank: RerankSettings | None = None,
    max_rank: int = 50,
) -> list[CameraPair]:
    """Score each pair of a query camera and a gallery camera separately.

    Args:
        query: Q features.
        gallery: G features.
        metric: see evaluate_features.
        rerank: see evaluate_features; each pair of cameras is re-ranked separately.
        max_rank: see evaluate_features.

    Returns:
        One entry for each pair of a query camera and a gallery camera, ordered by camera number. A camera
        paired with itself has no matches, unless the camera is unknown (-1).

    Raises:
        ValueError: see evaluate_features.
    """
    pairs = []
    for query_camid in np.unique(query.camids).tolist():
        some = _of_camera(query, query_camid)
        for gallery_camid in np.unique(gallery.camids).tolist():
            searched = _of_camera(gallery, gallery_camid)
            result = None
            if _has_match(some, searched):
                result = evaluate_features(some, searched, metric=metric, rerank=rerank, max_rank=max_rank)
            pairs.append(CameraPair(query_camid, gallery_camid, result))
    return pairs


def _of_camera(features: Features, camid: int) -> Features:
    chosen = features.camids == camid
    return replace(
        features,
        embeddings=features.embeddings[chosen],
        pids=features.pids[chosen],
        camids=features.camids[chosen],
        paths=(),
        images=None if features.images is None else features.images[chosen],
        clothes=None,
        dates=None,
    )


def _has_match(query: Features, gallery: Features) -> bool:
    """Whether a query has a match: a shared identity, and cameras that differ or are unknown."""
    camid = int(query.camids[0])
    if camid == gallery.camids[0] and camid >= 0:
        return False
    return bool(np.isin(gallery.pids[gallery.pids >= 0], query.pids).any())
