"""Scores for matches in the same clothes, in other clothes, and on another day.

Source: Qian et al., "Long-Term Cloth-Changing Person Re-identification", ACCV 2020, section 5; Yang, Wu,
    Zheng, "Person Re-identification by Contour Sketch under Moderate Clothing Change", TPAMI 2021; for
    matches in the same clothes: Gu et al., "Clothes-Changing Person Re-identification with RGB Modality
    Only", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.feature_distances import feature_distances
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.counting import FIRST_MATCH
from reid_gl.evaluation.scores.draws import drawn_rows, mean_over_draws
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.evaluation.scores.row_scores import score_blocks_by
from reid_gl.evaluation.scores.sides import prepare
from reid_gl.evaluation.scores.summary import summarise
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, Features, RankingResult

PROTOCOLS = {
    "same_clothes": ("clothes", True),
    "clothes_changing": ("clothes", False),
    "another_day": ("dates", False),
}
"""The group that each protocol looks at, and whether matches are in the query's own group."""


def possible_protocols(query: Features, gallery: Features | None) -> tuple[str, ...]:
    """Return the names of PROTOCOLS whose groups are known for some image on both sides."""
    if gallery is None:
        return ()
    return tuple(
        name
        for name, (group, _) in PROTOCOLS.items()
        if getattr(query, group) is not None and getattr(gallery, group) is not None
    )


def evaluate_group_protocols(
    query: Features,
    gallery: Features,
    names: tuple[str, ...],
    *,
    metric: str = "cosine",
    rerank: RerankSettings | None = None,
    max_memory_gb: float | None = None,
    max_rank: int = 50,
    draws: Sequence[Sequence[int]] = (),
) -> dict[str, RankingResult | None]:
    """Score the same distances with further rules; the general scores are those of evaluate_features.

    In each protocol, gallery images of the query's identity and camera are ignored. "clothes_changing" also
    ignores those of the query's identity and clothes, "same_clothes" those of its identity in other clothes,
    and "another_day" those of its identity and day. Images of other identities always count.

    Args:
        query: Q features with identities, cameras and the groups.
        gallery: G features with the same.
        names: which of PROTOCOLS.
        metric: "cosine" or "euclidean".
        rerank: see evaluate_features.
        max_memory_gb: see evaluate_features.
        max_rank: length of the CMC curve.
        draws: for each of several galleries, its rows; the results are averaged (see mean_over_draws). Empty
            for the whole gallery.

    Returns:
        For each name its scores; None if no query has a match in the gallery, or in one of those drawn.

    Raises:
        ValueError: a name is unknown; a query, or a gallery image of a query's identity, has no camera or no
            group; or see evaluate_features.
    """
    unknown = [name for name in names if name not in PROTOCOLS]
    if unknown:
        raise ValueError(f"unknown protocol {unknown[0]!r}: expected one of {', '.join(PROTOCOLS)}")
    distances = {"metric": metric, "rerank": rerank, "max_memory_gb": max_memory_gb}
    if not draws:
        return _score(query, gallery, names, distances, max_rank)
    parts = [_select(gallery, rows) for rows in drawn_rows(draws, len(gallery.embeddings))]
    return _average([_score(query, part, names, distances, max_rank) for part in parts])


def _score(
    query: Features, gallery: Features, names: tuple[str, ...], distances: dict[str, Any], max_rank: int
) -> dict[str, RankingResult | None]:
    """Score one whole gallery; `distances` are arguments of feature_distances."""
    groups = [PROTOCOLS[name] for name in names]
    for group in ("camids", *dict.fromkeys(group for group, _ in groups)):
        _check_known(query, gallery, group)
    kept = gallery.pids != JUNK_PID
    sides = prepare(query, gallery, use_cameras=True, drop_junk=True)
    protocols = [
        [*sides.rules, GroupRule(getattr(query, group), getattr(gallery, group)[kept], wants_same)]
        for group, wants_same in groups
    ]
    blocks = feature_distances(sides.query, sides.gallery, **distances)
    everything = np.ones(len(sides.gallery_pids), dtype=np.bool_)
    scores = score_blocks_by(blocks, sides.query_pids, sides.gallery_pids, everything, protocols)
    return {
        name: summarise(own, num_gallery=len(everything), max_rank=max_rank)
        if (own[:, FIRST_MATCH] > 0).any()
        else None
        for name, own in zip(names, scores, strict=True)
    }


def _select(features: Features, rows: NDArray[np.int64]) -> Features:
    """Return some rows of features, without paths."""
    columns: dict[str, Any] = {
        name: None if values is None else values[rows]
        for name in ("embeddings", "pids", "camids", "images", "clothes", "dates")
        for values in [getattr(features, name)]
    }
    return replace(features, paths=(), **columns)


def _average(results: Sequence[dict[str, RankingResult | None]]) -> dict[str, RankingResult | None]:
    """Average the results of the draws for each protocol."""
    averaged: dict[str, RankingResult | None] = {}
    for name in results[0]:
        own = [result for draw in results if (result := draw[name]) is not None]
        averaged[name] = mean_over_draws(own) if len(own) == len(results) else None
    return averaged


def _check_known(query: Features, gallery: Features, group: str) -> None:
    """Refuse images that a rule could not judge."""
    kind = {"camids": "camera", "clothes": "clothes", "dates": "day"}[group]
    own: NDArray[np.bool_] = np.isin(gallery.pids, query.pids) & (gallery.pids > DISTRACTOR_PID)
    for side, features, needed in (
        ("queries", query, query.pids > DISTRACTOR_PID),
        ("gallery images with a query's identity", gallery, own),
    ):
        values = getattr(features, group)
        unknown = int(needed.sum()) if values is None else int((values[needed] < 0).sum())
        if unknown:
            raise ValueError(
                f"{unknown:,} of {int(needed.sum()):,} {side} have no {kind}: this "
                "protocol needs it to say which images count; add it to the table, or score without"
            )
