"""CUHK03's single-gallery-shot protocol from its definition: draw an image of each person, walk the list."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

Image = tuple[float, bool]
"""Distance to the query, and whether it shows the query's person."""


def slow_groups(
    row: Sequence[float],
    pid: int,
    camid: int,
    gallery_pids: Sequence[int],
    gallery_camids: Sequence[int],
    *,
    junk_pid: int = -1,
) -> list[list[Image]]:
    """The gallery person by person, without junk and the query's own camera; empty without a match."""
    groups: dict[int, list[Image]] = {}
    for distance, other, camera in zip(row, gallery_pids, gallery_camids, strict=True):
        own_camera = camera == camid and camid >= 0
        if other != junk_pid and not (other == pid and own_camera):
            groups.setdefault(other, []).append((distance, other == pid))
    return list(groups.values()) if pid in groups else []


def slow_rank(drawn: Sequence[Image]) -> int:
    """Place of the match among one image of each person; at equal distances the wrong ones come first."""
    return [is_match for _, is_match in sorted(drawn)].index(True) + 1


def slow_expected_cmc(groups: Sequence[Sequence[Image]], *, max_rank: int) -> list[Fraction]:
    """One query: share of all possible draws that have the match among the first 1, 2, ... images."""
    ranks = [slow_rank(drawn) for drawn in itertools.product(*groups)]
    return [Fraction(sum(rank <= k for rank in ranks), len(ranks)) for k in range(1, max_rank + 1)]


def slow_draws(groups: Sequence[Sequence[Image]], generator: random.Random) -> Iterator[int]:
    """One query: ranks of the match in draws made one after the other, without end."""
    while True:
        yield slow_rank([generator.choice(group) for group in groups])
