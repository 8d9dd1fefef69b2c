"""Turn an engine's candidates into the rows of an answer, in the same way for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reid_gl.evaluation.reranking.rerank import RerankSettings, reranked_blocks
from reid_gl.evaluation.thresholds.probability import same_person_probability
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import SPARE, Engine
from reid_gl.gallery.interface.sightings import Floats, Match, StoredRow, vectors_of


class Answers:
    """Score, sort and re-rank candidates.

    Args:
        calibration: for probabilities; None leaves them out.
        prior: see same_person_probability.

    Raises:
        ValueError: the prior is outside (0, 1), or given without a calibration.
    """

    def __init__(self, calibration: Calibration | None, prior: float | None) -> None:
        if calibration is None and prior is not None:
            raise ValueError("a prior is for probabilities, which need a calibration: give both, or neither")
        self._calibration, self._prior = calibration, prior
        if calibration is not None:
            same_person_probability(calibration, 0.0, prior=prior)  # rejects a wrong prior now

    def find(
        self,
        engine: Engine,
        queries: Floats,
        condition: Condition,
        k: int,
        min_score: float,
        rerank: RerankSettings | None,
        shortlist: int,
    ) -> list[list[Match]]:
        """Search for queries (Q, D) of length one; other arguments as in Gallery.search.

        Cosines are computed again in float64, so that they and the order do not depend on the engine, on
        other queries, or on the place of a row.
        """
        num = k if rerank is None else max(k, shortlist)
        found = engine.search(queries, num + SPARE, condition)
        answers = []
        for query, ids in zip(queries, found.ids, strict=True):
            rows = [found.rows[number] for number in sorted(ids.tolist()) if number in found.rows]
            answer = self._rank(query, rows, num, min_score)
            if rerank is not None and answer:
                answer = _reranked(query, answer, found.rows, rerank)
            answers.append(answer[:k])
        return answers

    def _rank(self, query: Floats, rows: list[StoredRow], num: int, min_score: float) -> list[Match]:
        """Return the best rows by cosine; rows with equal cosines keep their order, that of their numbers."""
        if not rows:
            return []
        cosines = (vectors_of(rows).astype(np.float64) * query).sum(axis=1).clip(-1.0, 1.0)
        order = np.argsort(-cosines, kind="stable")[:num]
        chosen = order[cosines[order] >= min_score]
        probabilities = self._probabilities(cosines[chosen])
        return [
            Match(rows[place].id, float(cosines[place]), probability, None, rows[place].sighting)
            for place, probability in zip(chosen.tolist(), probabilities, strict=True)
        ]

    def _probabilities(self, cosines: Floats) -> list[float | None]:
        if self._calibration is None:
            return [None] * len(cosines)
        probabilities = same_person_probability(self._calibration, 1.0 - cosines, prior=self._prior)
        return list(probabilities.tolist())


def read_features(engine: Engine, condition: Condition, ids: Sequence[int]) -> Floats:
    """Return features (M, D) of the rows with these numbers, in the order of the list.

    Raises:
        ValueError: no row has one of the numbers, or its row is damaged.
    """
    rows = {row.id: row for batch in engine.read(condition) for row in batch}
    if missing := [int(number) for number in ids if number not in rows]:
        raise ValueError(f"gallery {engine.name} has no rows {missing}")
    if not rows:
        raise ValueError("no rows are named: give their numbers")
    return vectors_of([rows[number] for number in ids])


def _reranked(
    query: Floats, answer: list[Match], rows: dict[int, StoredRow], settings: RerankSettings
) -> list[Match]:
    shortlist = vectors_of([rows[match.id] for match in answer])
    distances = np.concatenate(list(reranked_blocks(query[None], shortlist, settings)))[0]
    order = np.argsort(distances, kind="stable").tolist()
    return [replace(answer[place], reranked=float(distances[place])) for place in order]
