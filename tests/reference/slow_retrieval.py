"""Recall@K, MAP@R and R-precision from the definitions: sort what a query searches, walk down the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class SlowRetrieval:
    recall_at: dict[int, float]
    map_at_r: float
    r_precision: float
    num_scored: int


def slow_retrieval(
    distances: Sequence[Sequence[float]],
    labels: Sequence[int],
    gallery_labels: Sequence[int] | None,
    ks: Sequence[int],
) -> SlowRetrieval:
    """Without gallery labels every image searches all the others."""
    lists = []
    for query, row in enumerate(distances):
        entries = []
        for other, distance in enumerate(row):
            if gallery_labels is None and other == query:
                continue
            searched = labels if gallery_labels is None else gallery_labels
            entries.append((distance, searched[other] == labels[query]))
        entries.sort()  # at equal distances False comes before True: the wrong image first
        hits = [is_match for _, is_match in entries]
        if any(hits):
            lists.append(hits)
    count = len(lists)
    return SlowRetrieval(
        recall_at={k: sum(any(hits[:k]) for hits in lists) / count for k in ks},
        map_at_r=sum(slow_average_precision_at_r(hits) for hits in lists) / count,
        r_precision=sum(sum(hits[: sum(hits)]) / sum(hits) for hits in lists) / count,
        num_scored=count,
    )


def slow_average_precision_at_r(hits: Sequence[bool]) -> float:
    """The first R places, R matches in all: the precision up to each match, 0 for the others, their mean."""
    num_matches = sum(hits)
    precisions = [sum(hits[:rank]) / rank if hits[rank - 1] else 0.0 for rank in range(1, num_matches + 1)]
    return sum(precisions) / num_matches
