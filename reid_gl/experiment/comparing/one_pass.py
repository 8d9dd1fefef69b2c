"""Score many settings of one network, which runs only once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.score import Candidate
from reid_gl.inference.evaluate import number_shared, pool_frames
from reid_gl.inference.feature_statistics import FeatureStatistics, extract_statistics
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.records import JUNK_PID, Features, RankingResult, Sample


@dataclass
class OnePass:
    """Scores of a candidate under any settings, from one pass of its network.

    Attributes:
        candidate: network and test set.
        query: the network's outputs for the queries.
        gallery: its outputs for the gallery, without junk; None if every query searches all the others.
    """

    candidate: Candidate
    query: FeatureStatistics
    gallery: FeatureStatistics | None
    _last: tuple[InferenceSettings, Features, Features | None] | None = None

    def metric(self, inference: InferenceSettings) -> str:
        """Return Euclidean with a beta; without, cosine (its limit) if TEST has a beta, else TEST.METRIC."""
        if inference.beta:
            return "euclidean"
        return "cosine" if self.candidate.scoring.inference.beta else self.candidate.scoring.metric

    def score(self, inference: InferenceSettings, rerank: RerankSettings | None) -> RankingResult:
        """Score as reid_gl.inference.evaluate; keeps the last features to re-rank them in several ways."""
        if self._last is None or self._last[0] != inference:
            query = pool_frames(self.query.features(inference), self.candidate.dataset.query)
            gallery = None
            if self.gallery is not None:
                searched = _searched(self.candidate)
                gallery = pool_frames(self.gallery.features(inference), searched)
                query, gallery = number_shared(query, gallery, self.candidate.dataset.query, searched)
            self._last = (inference, query, gallery)
        return evaluate_features(
            self._last[1],
            self._last[2],
            metric=self.metric(inference),
            rerank=rerank,
            max_memory_gb=self.candidate.scoring.max_memory_gb,
            use_cameras=self.candidate.preflight.use_cameras,
            draws=self.candidate.dataset.draws,
            search=self.candidate.dataset.search,
        )


def run_once(candidate: Candidate, *, flip: bool) -> OnePass:
    """Run the network over query and gallery, with mirror images if asked."""
    scoring, net = candidate.scoring, candidate.reid_net
    gallery = _searched(candidate)

    def run(samples: Sequence[Sample]) -> FeatureStatistics:
        return extract_statistics(
            net,
            samples,
            preprocessing=candidate.preprocessing,
            feature=scoring.feature,
            flip=flip,
            num_crops=scoring.inference.num_crops,
            batch_size=scoring.batch_size,
            num_workers=scoring.num_workers,
            precision=scoring.precision,
            show_progress=True,
        )

    return OnePass(candidate, run(candidate.dataset.query), run(gallery) if gallery else None)


def _searched(candidate: Candidate) -> list[Sample]:
    """Return the gallery without junk."""
    return [sample for sample in candidate.dataset.gallery if sample.pid != JUNK_PID]
