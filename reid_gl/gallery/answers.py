"""From the candidates of an engine to the rows of an answer: the same for every engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reid_gl.evaluation.reranking.rerank import RerankSettings, reranked_blocks
from reid_gl.evaluation.thresholds.probability import same_person_probability
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.gallery.engine import Found
from reid_gl.gallery.sightings import Floats, Match, vectors_of


class Answers:
    """Scores, orders and re-ranks candidates.

    Args:
        calibration: for probabilities; None leaves them out.
        prior: see same_person_probability.

    Raises:
        ValueError: a prior outside (0, 1), or one without a calibration.
    """

    def __init__(self, calibration: Calibration | None, prior: float | None) -> None:
        if calibration is None and prior is not None:
            raise ValueError("a prior is for probabilities, which need a calibration: give both, or neither")
        self._calibration, self._prior = calibration, prior
        if calibration is not None:
            same_person_probability(calibration, 0.0, prior=prior)  # refuses a wrong prior now

    def rank(self, queries: Floats, found: Found, num: int, min_score: float) -> list[list[Match]]:
        """The best candidates by cosine, which is computed in float64, whatever the engine computed with.

        Args:
            queries: (Q, D) of length one.
            found: candidates.
            num: most rows of an answer.
            min_score: smallest cosine.

        Returns:
            Q answers; equal cosines rank the lower number first.
        """
        answers: list[list[Match]] = []
        for query, ids in zip(queries.astype(np.float64), found.ids, strict=True):
            rows = [found.rows[number] for number in sorted(ids.tolist()) if number in found.rows]
            if not rows:
                answers.append([])
                continue
            cosines = (vectors_of(rows).astype(np.float64) * query).sum(axis=1).clip(-1.0, 1.0)
            order = np.argsort(-cosines, kind="stable")[:num]
            chosen = order[cosines[order] >= min_score]
            probabilities = self._probabilities(cosines[chosen])
            answers.append(
                [
                    Match(rows[place].id, float(cosines[place]), probability, None, rows[place].sighting)
                    for place, probability in zip(chosen.tolist(), probabilities, strict=True)
                ]
            )
        return answers

    def rerank(
        self, queries: Floats, answers: list[list[Match]], found: Found, settings: RerankSettings | None
    ) -> list[list[Match]]:
        """Order each answer by k-reciprocal re-ranking within it; unchanged without settings."""
        if settings is None:
            return answers
        return [
            _reranked(queries[place : place + 1], answer, found, settings)
            for place, answer in enumerate(answers)
        ]

    def _probabilities(self, cosines: Floats) -> list[float | None]:
        if self._calibration is None:
            return [None] * len(cosines)
        probabilities = same_person_probability(self._calibration, 1.0 - cosines, prior=self._prior)
        return list(probabilities.tolist())


def _reranked(query: Floats, answer: list[Match], found: Found, settings: RerankSettings) -> list[Match]:
    if not answer:
        return []
    shortlist = vectors_of([found.rows[match.id] for match in answer])
    distances = np.concatenate(list(reranked_blocks(query, shortlist, settings)))[0]
    order = np.argsort(distances, kind="stable").tolist()
    return [replace(answer[place], reranked=float(distances[place])) for place in order]
