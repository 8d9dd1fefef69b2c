"""Confidence interval of mean average precision, and scores per pair of cameras."""

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
    if not 0 < level < 1 or num_samples < 1:
        raise ValueError(
            f"expected a level in (0, 1) and at least one sample, got {level} and {num_samples} samples"
        )
    precisions = result.average_precision[result.first_match > 0]
    rng = np.random.default_rng(seed)
    means = [rng.choice(precisions, len(precisions)).mean() for _ in range(num_samples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


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
