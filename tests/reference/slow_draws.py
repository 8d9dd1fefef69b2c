"""SYSU-MM01's protocol as its description says: one sorted list for each query and draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.reference.slow_ranking import slow_average_precision, slow_inverse_penalty


@dataclass
class SlowDraw:
    cmc: list[float]
    mean_ap: float
    mean_inp: float
    num_scored: int


def slow_draw(
    distances: Sequence[Sequence[float]],
    query_pids: Sequence[int],
    gallery_pids: Sequence[int],
    query_places: Sequence[int],
    gallery_places: Sequence[int],
    draw: Sequence[int],
    *,
    max_rank: int,
) -> SlowDraw:
    ranks, precisions, penalties = [], [], []
    for q, row in enumerate(distances):
        entries = []
        for g in draw:
            same_place = gallery_places[g] == query_places[q] and query_places[q] >= 0
            if gallery_pids[g] != -1 and not same_place:
                entries.append((row[g], gallery_pids[g] == query_pids[q], gallery_pids[g]))
        entries.sort()  # at equal distances, False comes before True: the wrong image first
        hits = [is_match for _, is_match, _ in entries]
        if not any(hits):
            continue
        people = list(dict.fromkeys(pid for _, _, pid in entries))  # each at its nearest image
        ranks.append(people.index(query_pids[q]) + 1)
        precisions.append(slow_average_precision(hits))
        penalties.append(slow_inverse_penalty(hits))
    count = len(ranks)
    return SlowDraw(
        cmc=[sum(rank <= k for rank in ranks) / count for k in range(1, max_rank + 1)],
        mean_ap=sum(precisions) / count,
        mean_inp=sum(penalties) / count,
        num_scored=count,
    )
