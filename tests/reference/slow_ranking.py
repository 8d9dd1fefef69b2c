"""CMC, average precision and mINP from the definitions: sort the gallery, walk down the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class SlowScores:
    cmc: list[float]
    mean_ap: float
    mean_ap_trapezoid: float
    mean_inp: float
    num_scored: int
    num_gallery: int


def slow_ranking(
    distances: Sequence[Sequence[float]],
    query_pids: Sequence[int],
    gallery_pids: Sequence[int],
    query_camids: Sequence[int] | None,
    gallery_camids: Sequence[int] | None,
    *,
    max_rank: int,
    clothes: tuple[Sequence[int], Sequence[int], bool] | None = None,
) -> SlowScores:
    lists = []
    for q, row in enumerate(distances):
        entries = []
        for g, distance in enumerate(row):
            if gallery_pids[g] == -1:
                continue
            is_match = gallery_pids[g] == query_pids[q]
            if is_match and _same_camera(query_camids, gallery_camids, q, g):
                continue
            if is_match and clothes is not None:  # clothes of both sides, and whether matches wear the same
                wears_same = clothes[0][q] == clothes[1][g] and clothes[0][q] >= 0
                if wears_same != clothes[2]:
                    continue
            entries.append((distance, is_match))
        entries.sort()  # at equal distances False comes before True: the wrong image first
        hits = [is_match for _, is_match in entries]
        if any(hits):
            lists.append(hits)
    count = len(lists)
    return SlowScores(
        cmc=[sum(any(hits[:k]) for hits in lists) / count for k in range(1, max_rank + 1)],
        mean_ap=sum(slow_average_precision(hits) for hits in lists) / count,
        mean_ap_trapezoid=sum(slow_trapezoid(hits) for hits in lists) / count,
        mean_inp=sum(slow_inverse_penalty(hits) for hits in lists) / count,
        num_scored=count,
        num_gallery=sum(pid != -1 for pid in gallery_pids),
    )


def slow_average_precision(hits: Sequence[bool]) -> float:
    """Mean over the matches of the precision of the list that ends with the match."""
    precisions = [sum(hits[:rank]) / rank for rank in range(1, len(hits) + 1) if hits[rank - 1]]
    return sum(precisions) / len(precisions)


def slow_trapezoid(hits: Sequence[bool]) -> float:
    """Area under precision over recall, a straight line from one place of the list to the next."""
    area, old_recall, old_precision = 0.0, 0.0, 1.0
    for rank in range(1, len(hits) + 1):
        recall = sum(hits[:rank]) / sum(hits)
        precision = sum(hits[:rank]) / rank
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def slow_inverse_penalty(hits: Sequence[bool]) -> float:
    """Number of matches / rank of the last one."""
    return sum(hits) / max(rank for rank in range(1, len(hits) + 1) if hits[rank - 1])


def _same_camera(
    query_camids: Sequence[int] | None, gallery_camids: Sequence[int] | None, q: int, g: int
) -> bool:
    """Whether both cameras are known (not -1) and the same."""
    if query_camids is None or gallery_camids is None:
        return False
    return query_camids[q] == gallery_camids[g] and query_camids[q] >= 0
