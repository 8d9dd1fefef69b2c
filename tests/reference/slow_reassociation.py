"""Re-association, image by image."""

from __future__ import annotations

from collections.abc import Sequence


def slow_reassociation(
    distances: Sequence[Sequence[float]],
    pids: Sequence[int],
    camids: Sequence[int],
    frames: Sequence[int],
    gap: int,
) -> tuple[list[int], int]:
    """Rank of the right image for each person who is seen again, and the number of those who are not."""
    ranks, gone = [], 0
    for i, pid in enumerate(pids):
        later = [
            j
            for j in range(len(pids))
            if camids[j] == camids[i] and frames[j] == frames[i] + gap and pids[j] != -1
        ]
        if pid < 1 or not later:
            continue
        entries = sorted((distances[i][j], pids[j] == pid) for j in later)  # ties: the wrong image first
        hits = [is_match for _, is_match in entries]
        if any(hits):
            ranks.append(hits.index(True) + 1)
        else:
            gone += 1
    return ranks, gone
