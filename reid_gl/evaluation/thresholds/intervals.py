"""Bootstrap of thresholds: how much a threshold varies when the people are resampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.evaluation.compiled import compiled
from reid_gl.evaluation.scores.matching import in_other_camera
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, Features

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GENUINE = -1
"""Marks a genuine pair: its distance is a possible threshold, but it is never a false accept."""


def redraw_thresholds(
    query: Features,
    gallery: Features,
    rates: Sequence[float],
    *,
    limit: float,
    num_redraws: int,
    seed: int,
) -> Floats | None:
    """Thresholds at given false accept rates for bootstrap samples of the people.

    Each sample draws U of the U people with replacement; a distractor counts as one person. An impostor pair
    counts as often as the product of its two people's numbers of draws. The threshold is the largest
    distance that occurs in the original pairs, drawn or not, and keeps the rate; equal distances are
    accepted together. Samples of one person only have no impostor pair and are left out.

    Args:
        query: Q features with identities and cameras.
        gallery: G features.
        rates: K false accept rates.
        limit: keep only pairs with at most this cosine distance, to save memory.
        num_redraws: number of bootstrap samples.
        seed: seed of the samples.

    Returns:
        (at most num_redraws, K) cosine distances, -inf where nothing can be accepted; None if a sample needs
        pairs beyond the limit.
    """
    people, num_known, num_people = _number_people(query.pids, gallery.pids)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(num_people, np.full(num_people, 1 / num_people), size=num_redraws)
    totals = _count_different(draws, people, num_known)
    held = _held_pairs(query, gallery, people, limit)
    usable = totals > 0
    thresholds = np.empty((np.count_nonzero(usable), len(rates)))
    _find_thresholds(*held, draws[usable], totals[usable], np.array(rates), limit == np.inf, thresholds)
    return None if np.isnan(thresholds).any() else thresholds


def _number_people(query_pids: Ints, gallery_pids: Ints) -> tuple[tuple[Ints, Ints], int, int]:
    """Number the people 0, 1, ..., distractors last, junk -1; also count the known people and all people."""
    pids = np.concatenate([query_pids, gallery_pids])
    known = np.unique(pids[(pids != JUNK_PID) & (pids != DISTRACTOR_PID)])
    people = np.searchsorted(known, pids)
    distractors = np.flatnonzero(pids == DISTRACTOR_PID)
    people[distractors] = len(known) + np.arange(len(distractors))
    people[pids == JUNK_PID] = -1
    sides = people[: len(query_pids)], people[len(query_pids) :]
    return sides, len(known), len(known) + len(distractors)


def _count_different(draws: Ints, people: tuple[Ints, Ints], num_known: int) -> Ints:
    """Impostor pairs (R,) of each sample, from the draws (R, U) of each person.

    A pair of two distractors is not one of them: the two may show the same person.
    """
    query, gallery = (
        draws * np.bincount(side[side >= 0], minlength=draws.shape[1]) for side in people
    )  # (R, U) images of each person
    same = (query[:, :num_known] * gallery[:, :num_known]).sum(axis=1)
    unknown = query[:, num_known:].sum(axis=1) * gallery[:, num_known:].sum(axis=1)
    different: Ints = query.sum(axis=1) * gallery.sum(axis=1) - same - unknown
    return different


def _held_pairs(
    query: Features, gallery: Features, people: tuple[Ints, Ints], limit: float
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Distances in ascending order, and both people of each pair; GENUINE for a pair of one person."""
    held: list[NDArray[np.float32]] = []
    firsts: list[NDArray[np.int32]] = []
    seconds: list[NDArray[np.int32]] = []
    done = 0
    for block in distance_blocks(query.embeddings, gallery.embeddings, metric="cosine"):
        rows, columns = np.nonzero(block <= limit)
        distances = block[rows, columns]
        rows += done
        done += len(block)
        first, second = people[0][rows], people[1][columns]
        same = query.pids[rows] == gallery.pids[columns]
        counts = in_other_camera(query.camids[rows], gallery.camids[columns]) | ~same
        kept = (first >= 0) & (second >= 0) & counts
        first[same] = second[same] = GENUINE
        held.append(distances[kept].astype(np.float32))
        firsts.append(first[kept].astype(np.int32))
        seconds.append(second[kept].astype(np.int32))
    ascending = np.concatenate(held)
    order = np.argsort(ascending, kind="stable")
    return ascending[order], np.concatenate(firsts)[order], np.concatenate(seconds)[order]


@compiled(parallel=True)
def _find_thresholds(
    distances: NDArray[np.float32],
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    draws: Ints,
    totals: Ints,
    rates: Floats,
    holds_all: bool,
    thresholds: Floats,
) -> None:
    """Fill in thresholds (R, K); NaN where a threshold lies beyond the given pairs.

    Args:
        distances: (T,) ascending.
        first: (T,) number of one person of each pair, or GENUINE.
        second: (T,) number of the other person.
        draws: (R, U) how often each sample draws each person.
        totals: (R,) impostor pairs of each sample.
        rates: (K,) false accept rates.
        holds_all: whether the T pairs are all pairs there are, so that no threshold lies beyond them.
        thresholds: (R, K), overwritten.
    """
    for draw in prange(len(draws)):
        for place in range(len(rates)):
            accepted, last = 0, -np.inf
            is_exceeded = False
            for pair in range(len(distances)):
                if first[pair] != GENUINE:
                    accepted += draws[draw, first[pair]] * draws[draw, second[pair]]
                if pair + 1 < len(distances) and distances[pair + 1] == distances[pair]:
                    continue
                if accepted / totals[draw] > rates[place]:
                    is_exceeded = True
                    break
                last = distances[pair]
            thresholds[draw, place] = last if is_exceeded or holds_all else np.nan
