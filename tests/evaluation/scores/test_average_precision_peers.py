"""Average precision beside scikit-learn's, query by query; torchreid's mean is in test_ranking.py."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from reid_gl.evaluation import evaluate_features, evaluate_ranking
from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.records import Features
from reid_gl.similarity import METRICS

Side = tuple[np.ndarray, np.ndarray]


def _sides(seed: int, num_queries: int, num_gallery: int) -> tuple[Side, Side]:
    """Identities with junk and distractors, cameras with unknown ones; some queries have no match."""
    rng = np.random.default_rng(seed)
    query = rng.integers(1, 9, num_queries), rng.integers(-1, 4, num_queries)
    return query, (rng.integers(-1, 7, num_gallery), rng.integers(-1, 4, num_gallery))


def _peer(distances: np.ndarray, query: Side, gallery: Side, *, use_cameras: bool) -> list[float]:
    """scikit-learn's score of what the protocol leaves of each row; NaN where no match is left."""
    scores = []
    for row, pid, camid in zip(distances, *query, strict=True):
        is_match = gallery[0] == pid
        kept = gallery[0] != -1
        if use_cameras and camid != -1:
            kept &= ~(is_match & (gallery[1] == camid))
        assert len(np.unique(row[kept])) == kept.sum()  # no ties: it ranks them together, we the wrong first
        has_match = is_match[kept].any()
        scores.append(average_precision_score(is_match[kept], -row[kept]) if has_match else np.nan)
    return scores


@pytest.mark.parametrize("use_cameras", [True, False])
def test_each_query_agrees_with_scikit_learn(use_cameras: bool) -> None:
    for seed in range(8):
        query, gallery = _sides(seed, 15, 120)
        distances = np.random.default_rng(seed).permutation(15 * 120).reshape(15, 120) / 1_800
        expected = _peer(distances, query, gallery, use_cameras=use_cameras)
        cameras = (query[1], gallery[1]) if use_cameras else ()
        result = evaluate_ranking(distances, query[0], gallery[0], *cameras)
        assert result.average_precision.tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)
        assert result.mean_ap == pytest.approx(np.nanmean(expected), rel=1e-12)
        assert result.num_scored == np.isfinite(expected).sum()


@pytest.mark.parametrize("metric", METRICS)
def test_features_agree_with_scikit_learn(metric: str) -> None:
    for seed in range(5):
        query, gallery = _sides(seed, 15, 120)
        rng = np.random.default_rng(seed)
        rows = [rng.normal(size=(num, 8)).astype(np.float32) for num in (15, 120)]
        (distances,) = distance_blocks(*rows, metric=metric)
        expected = _peer(distances.copy(), query, gallery, use_cameras=True)
        result = evaluate_features(Features(rows[0], *query), Features(rows[1], *gallery), metric=metric)
        assert result.average_precision.tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)
