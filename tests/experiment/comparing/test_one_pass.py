from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_features
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.experiment.comparing.one_pass import OnePass
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from reid_gl.records import JUNK_PID, Features, ReidDataset, Sample

PIDS = (1, 1, 2, 2, JUNK_PID)


class Statistics:
    """Features of random numbers, scaled by mixing; counts how often they are asked for."""

    def __init__(self, samples: list[Sample], seed: int) -> None:
        self.samples, self.asked = samples, 0
        self.rows = np.random.default_rng(seed).normal(size=(len(samples), 6)).astype(np.float32)

    def features(self, inference: InferenceSettings) -> Features:
        self.asked += 1
        pids, camids = (np.array([getattr(s, name) for s in self.samples]) for name in ("pid", "camid"))
        rows = self.rows + np.float32(inference.mixing or 0.0)
        return Features(rows, pids, camids, tuple(sample.path for sample in self.samples))


def _one_pass(*, has_gallery: bool = True, **settings: Any) -> OnePass:
    query = [Sample(f"q{number}.jpg", pid, 0) for number, pid in enumerate(PIDS[:4])]
    gallery = [Sample(f"g{number}.jpg", pid, 1) for number, pid in enumerate(PIDS)] if has_gallery else []
    scoring = {"metric": "euclidean", "inference": PLAIN, "max_memory_gb": None, **settings}
    candidate: Any = SimpleNamespace(
        dataset=ReidDataset((), tuple(query), tuple(gallery)),
        scoring=SimpleNamespace(**scoring),
        preflight=SimpleNamespace(use_cameras=has_gallery),
    )
    known = [sample for sample in gallery if sample.pid != JUNK_PID]
    statistics: list[Any] = [Statistics(query, 0), Statistics(known, 1) if has_gallery else None]
    return OnePass(candidate, *statistics)


@pytest.mark.parametrize("rerank", [None, RerankSettings(k1=3, k2=2)])
@pytest.mark.parametrize("has_gallery", [True, False])
def test_scores_are_those_of_the_features(has_gallery: bool, rerank: RerankSettings | None) -> None:
    network = _one_pass(has_gallery=has_gallery)
    sides = [side.features(PLAIN) if side else None for side in (network.query, network.gallery)]
    expected = evaluate_features(*sides, metric="euclidean", rerank=rerank, use_cameras=has_gallery)  # type: ignore[arg-type]
    assert network.score(PLAIN, rerank).mean_ap == pytest.approx(expected.mean_ap)


def test_features_are_made_once_for_several_ways_to_rerank() -> None:
    network = _one_pass()
    for rerank in (None, RerankSettings(k1=3, k2=2), RerankSettings(k1=2, k2=1)):
        network.score(PLAIN, rerank)
    assert network.query.asked == network.gallery.asked == 1  # type: ignore[attr-defined, union-attr]
    network.score(InferenceSettings(mixing=0.3), None)
    assert network.query.asked == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("configured", "asked", "metric"),
    [
        (PLAIN, PLAIN, "euclidean"),
        (PLAIN, InferenceSettings(beta=0.5), "euclidean"),
        (InferenceSettings(beta=0.5), PLAIN, "cosine"),  # the limit of a beta of zero
        (InferenceSettings(beta=0.5), InferenceSettings(beta=0.2), "euclidean"),
    ],
)
def test_the_metric_follows_the_beta(
    configured: InferenceSettings, asked: InferenceSettings, metric: str
) -> None:
    assert _one_pass(inference=configured).metric(asked) == metric
