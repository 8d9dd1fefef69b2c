"""Scores that depend on clothes or days, for test sets with this information."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.group_protocols import evaluate_group_protocols, possible_protocols
from reid_gl.records import Features
from reid_gl.report.scores import ranking_to_dict

logger = logging.getLogger(__name__)


def score_groups(
    query: Features,
    gallery: Features | None,
    *,
    metric: str,
    rerank: RerankSettings | None,
    max_memory_gb: float | None,
    draws: Sequence[Sequence[int]] = (),
) -> dict[str, Any]:
    """Score each protocol of group_protocols for which the test set has clothes or days.

    Args:
        query: features of the queries.
        gallery: features of the gallery; None if every query searches all the others.
        metric: "cosine" or "euclidean".
        rerank: settings of k-reciprocal re-ranking; None for none.
        max_memory_gb: memory that re-ranking may use in addition to the features.
        draws: rows of the gallery for each of several galleries, see evaluate_group_protocols.

    Returns:
        {"groups": {protocol: scores and counts, or None if no query has such a match}}; empty if the set has
        no groups, or lacks some of them, on one side or both, or some cameras, which a warning says.
    """
    if gallery is None:
        return {}
    _say_what_one_side_lacks(query, gallery)
    names = possible_protocols(query, gallery)
    if not names:
        return {}
    try:
        results = evaluate_group_protocols(
            query, gallery, names, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb, draws=draws
        )
    except ValueError as error:
        logger.warning("no scores by clothes or day: %s", error)
        return {}
    return {
        "groups": {
            name: None if result is None else {**ranking_to_dict(result), "queries_scored": result.num_scored}
            for name, result in results.items()
        }
    }


def _say_what_one_side_lacks(query: Features, gallery: Features) -> None:
    """Warn of clothes or days that only the queries or only the gallery have."""
    for group, kind in (("clothes", "clothes"), ("dates", "day")):
        lacking = [
            name
            for name, side in (("queries", query), ("gallery images", gallery))
            if getattr(side, group) is None
        ]
        if len(lacking) == 1:
            logger.warning(
                "no scores by %s: the %s have none, and both sides need it; add it to their table",
                kind,
                lacking[0],
            )
