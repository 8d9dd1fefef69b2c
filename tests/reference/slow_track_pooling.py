"""Pooled tracks from the definition, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.slow_multi_query import slow_unit

Row = tuple[list[float], int, int, str]


def slow_pool_tracks(
    frames: Sequence[tuple[Sequence[float], int, int, str]], tracklets: Sequence[int]
) -> list[Row]:
    """Frames are (feature, pid, camid, path), and so are the pooled rows."""
    pooled: list[Row] = []
    done: set[int] = set()
    for (feature, pid, camid, path), track in zip(frames, tracklets, strict=True):
        if track < 0:
            pooled.append((slow_unit(feature), pid, camid, path))
        elif track not in done:
            done.add(track)
            members = [
                slow_unit(other[0])
                for other, number in zip(frames, tracklets, strict=True)
                if number == track
            ]
            mean = [sum(column) / len(members) for column in zip(*members, strict=True)]
            pooled.append((slow_unit(mean), pid, camid, path))
    return pooled
