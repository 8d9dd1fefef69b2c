"""Re-association, the question of a tracker: who of the people N frames later is this one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features, distance_blocks
from reid_gl.evaluation.scores.counting import FIRST_MATCH
from reid_gl.evaluation.scores.identities import check_identities, whole_numbers
from reid_gl.evaluation.scores.row_scores import score_blocks
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, Features

Ints = NDArray[np.int64]
GAPS = (1, 10, 30, 100)


@dataclass(frozen=True)
class Reassociation:
    """Scores of one gap, all in [0, 1].

    Attributes:
        gap: frames between the two images.
        rank1: share of people whose nearest image N frames later shows them.
        rank5: share of people who are among the five nearest.
        mean_reciprocal_rank: mean of 1 / rank of the right image.
        chance: rank1 of a network that guesses: mean of 1 / number of images N frames later.
        num_scored: images of people who are also seen N frames later by the same camera; only these count.
        num_gone: images of people who are not, although the camera has a frame N later.
    """

    gap: int
    rank1: float
    rank5: float
    mean_reciprocal_rank: float
    chance: float
    num_scored: int
    num_gone: int


def evaluate_reassociation(
    features: Features, frames: Ints, *, gaps: Sequence[int] = GAPS, metric: str = "cosine"
) -> list[Reassociation]:
    """Search each person among the images that the same camera took exactly N frames later.

    At equal distances, the wrong image ranks first. Junk (-1) is left out; distractors (0) are wrong for
    everybody and not searched for. The same camera may have seen a person at other times, too: these images
    do not count, so a long gap asks for a network that knows people again, not for a good tracker.

    Args:
        features: M images with identities and cameras. A camera is one sequence; unknown ones (-1) count as
            one sequence.
        frames: (M,) number of the frame of each image; a person is in a frame once.
        gaps: the N, each at least 1.
        metric: "cosine" or "euclidean".

    Returns:
        One entry for each gap, in their order.

    Raises:
        ValueError: shapes disagree, a gap is below 1, a person is twice in a frame, nobody is seen again
            after one of the gaps, or features are not finite.
    """
    rows = features.embeddings
    check_features(rows, rows)
    pids, camids = check_identities("track", features.pids, features.camids, len(rows))
    frames = whole_numbers("frames", frames, len(rows))
    wrong = [gap for gap in gaps if gap < 1]
    if wrong or not gaps:
        raise ValueError(f"a gap is a number of frames from 1, got {wrong[0] if wrong else 'none'}")
    moments = _moments(pids, camids, frames)
    return [_score(rows, pids, moments, gap, metric) for gap in gaps]


def _moments(pids: Ints, camids: Ints, frames: Ints) -> dict[tuple[int, int], Ints]:
    """Return the images of each camera and frame, without junk."""
    kept = np.flatnonzero(pids != JUNK_PID)
    order = kept[np.lexsort((frames[kept], camids[kept]))]
    keys, starts = np.unique(np.stack([camids[order], frames[order]]), axis=1, return_index=True)
    moments = {}
    for camid, frame, own in zip(*keys.tolist(), np.split(order, starts[1:]), strict=True):
        people, counts = np.unique(pids[own][pids[own] > DISTRACTOR_PID], return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f"person {people[counts.argmax()]} is {counts.max()} times in frame {frame} of camera {camid}"
                ": expected once; give every sequence a camera number of its own"
            )
        moments[camid, frame] = own
    return moments


def _score(
    rows: NDArray[np.float32], pids: Ints, moments: dict[tuple[int, int], Ints], gap: int, metric: str
) -> Reassociation:
    ranks: list[Ints] = []
    chances: list[NDArray[np.float64]] = []
    num_gone = 0
    for (camid, frame), now in moments.items():
        later = moments.get((camid, frame + gap))
        if later is None:
            continue
        people = now[pids[now] > DISTRACTOR_PID]
        there = people[np.isin(pids[people], pids[later])]
        num_gone += len(people) - len(there)
        if len(there):
            blocks = distance_blocks(rows[there], rows[later], metric=metric)
            everything = np.ones(len(later), dtype=np.bool_)
            scores = score_blocks(blocks, pids[there], pids[later], everything, [])
            ranks.append(scores[:, FIRST_MATCH].astype(np.int64))
            chances.append(np.full(len(there), 1 / len(later)))
    if not ranks:
        raise ValueError(
            f"nobody is seen by the same camera {gap} frames later: with every N-th frame only, gaps are "
            "multiples of N"
        )
    found = np.concatenate(ranks)
    return Reassociation(
        gap=gap,
        rank1=float((found == 1).mean()),
        rank5=float((found <= 5).mean()),
        mean_reciprocal_rank=float((1 / found).mean()),
        chance=float(np.concatenate(chances).mean()),
        num_scored=len(found),
        num_gone=num_gone,
    )
