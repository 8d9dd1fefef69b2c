"""CUHK03's original protocol: one random gallery image per identity, redrawn ten times for every query.

The CMC curve depends on the draws. Its expectation does not and is computed exactly as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.scores.identities import check_distances
from reid_gl.evaluation.scores.sampling import HAS_NAN, SCORED, sample_rows
from reid_gl.records import JUNK_PID

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SingleShotResult:
    """Scores of galleries with one image per identity, all in [0, 1].

    Attributes:
        cmc: (max_rank,) share of scored queries and repeats with the match among the first 1, 2, ...
        expected_cmc: (max_rank,) exact expectation of cmc over all possible draws.
        standard_error: (max_rank,) exact standard deviation of cmc over draws, from the success probability
            of each query; all queries and repeats are drawn independently.
        num_queries: queries given.
        num_scored: queries that have a match in the gallery; only these count.
    """

    cmc: NDArray[np.float64]
    expected_cmc: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    num_queries: int
    num_scored: int


def evaluate_single_shot(
    distances: Floats,
    query_pids: Ints,
    gallery_pids: Ints,
    query_camids: Ints | None = None,
    gallery_camids: Ints | None = None,
    *,
    num_repeats: int = 10,
    seed: int = 0,
    junk_pid: int = JUNK_PID,
    max_rank: int = 50,
) -> SingleShotResult:
    """Score a matrix of distances with one gallery image per identity.

    First, junk and the images with the query's identity and camera are removed. Then one image of each
    gallery identity is drawn for every query and repeat, and the drawn match is ranked among the drawn images
    of the other identities. At equal distances, the wrong image ranks first. Distractors count as one
    identity, 0. This protocol customarily reports the average precision of the whole gallery: see
    evaluate_ranking.

    Args:
        distances: (Q, G), larger is more different.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities.
        query_camids: (Q,) cameras, or None.
        gallery_camids: (G,) cameras, or None.
        num_repeats: draws per query.
        seed: seed of the draws. They also depend on the query's row and the identities, but not on the order
            of the gallery or the number of threads.
        junk_pid: identity of gallery images to ignore.
        max_rank: length of the curves; they stay at 1 beyond the number of identities.

    Returns:
        The curve, its expectation and its standard error; queries without a match are counted but not
        scored.

    Raises:
        ValueError: shapes disagree, a distance is NaN, only one side has cameras, no query has a match, or a
            setting is too small.

    Source:
        Li et al., "DeepReID: Deep Filter Pairing Neural Network for Person Re-identification", CVPR 2014,
        section 5.
    """
    for name, value, least in (("num_repeats", num_repeats, 1), ("max_rank", max_rank, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    distances, query, gallery = check_distances(
        distances, (query_pids, query_camids), (gallery_pids, gallery_camids)
    )
    expected = np.zeros((len(distances), max_rank))
    drawn = np.zeros((len(distances), max_rank + 1), dtype=np.int64)
    states = np.empty(len(distances), dtype=np.int8)
    keys = np.random.default_rng(seed).integers(2**64, size=len(distances), dtype=np.uint64)
    people = _number_identities(query[0], gallery[0], junk_pid)
    rows, cameras = np.ascontiguousarray(distances), (query[1], gallery[1])
    sample_rows(rows, *people, *cameras, keys, num_repeats, expected, drawn, states)
    if (states == HAS_NAN).any():
        raise ValueError("a distance is not a number (NaN): check the features before scoring them")
    return _summarise(expected, drawn, states == SCORED, num_repeats)


def _number_identities(query_pids: Ints, gallery_pids: Ints, junk_pid: int) -> tuple[Ints, Ints, Ints]:
    """Return the `people`, `pids` and `groups` of sample_rows."""
    pids = np.unique(gallery_pids[gallery_pids != junk_pid])
    people = np.where(gallery_pids == junk_pid, -2, np.searchsorted(pids, gallery_pids))
    groups = np.where(np.isin(query_pids, pids), np.searchsorted(pids, query_pids), -1)
    return people, pids, groups


def _summarise(
    expected: NDArray[np.float64], drawn: Ints, scored: NDArray[np.bool_], num_repeats: int
) -> SingleShotResult:
    """Average over the scored queries; each draw is a Bernoulli trial with the query's probability."""
    num_scored = int(scored.sum())
    if not num_scored:
        raise ValueError(
            f"none of the {len(scored)} queries has a match in the gallery: with one camera only, score "
            "without the camera rule (TEST.CAMERA_FILTER off)"
        )
    chances = expected[scored]
    variance = (chances * (1.0 - chances)).sum(axis=0) / num_repeats
    return SingleShotResult(
        cmc=np.cumsum(drawn[:, :-1].sum(axis=0)) / (num_scored * num_repeats),
        expected_cmc=chances.mean(axis=0),
        standard_error=np.sqrt(variance) / num_scored,
        num_queries=len(scored),
        num_scored=num_scored,
    )
