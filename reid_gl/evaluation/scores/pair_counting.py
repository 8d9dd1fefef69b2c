"""Compiled kernels that count and collect pairs in a block of distances.

Pairs of one identity (positives) are collected; pairs of two identities (negatives) are counted in bins by
distance. Non-negative float32 values have the same order as their bit patterns read as integers. The highest
bits are therefore bin numbers, and each bin's width is a fixed share of the distance, whatever its unit.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.evaluation.scores.matching import GENUINE, IMPOSTOR, pair_kind

SHIFT = 11
"""Number of low float32 bits that the bin number drops; a bin is at most 2 ** -12 of its distance wide."""

NUM_BINS = 2**31 >> SHIFT
INFINITY_BITS = 0x7F800000

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@compiled(parallel=True)
def count_pairs(
    block: Floats,
    bits: NDArray[np.int32],
    query: tuple[Ints, Ints],
    gallery: tuple[Ints, Ints],
    limit: np.float32,
    histograms: Ints,
    counts: Ints,
) -> None:
    """Add pairs of different identities to histograms, and count the pairs that collect_pairs will write.

    pair_kind says which pairs are skipped.

    Args:
        block: (B, G) distances.
        bits: (B, G) the same memory viewed as int32.
        query: (B,) identities and (B,) cameras; camera -1 (unknown) differs from every camera.
        gallery: (G,) identities and (G,) cameras.
        limit: collect_pairs will write pairs of different identities with a distance below this.
        histograms: (T, NUM_BINS) to add to; each parallel share of the rows has its own histogram, so that
            threads do not write to the same memory.
        counts: (B, 2) output: pairs of one identity, and pairs of different identities below the limit.
    """
    num_shares = len(histograms)
    for share in prange(num_shares):
        for i in range(share, len(block), num_shares):
            near = same = 0
            for j in range(block.shape[1]):
                kind = pair_kind(query[0][i], query[1][i], gallery[0][j], gallery[1][j])
                if kind == GENUINE:
                    same += 1
                elif kind == IMPOSTOR:
                    histograms[share, max(bits[i, j], 0) >> SHIFT] += 1
                    near += block[i, j] < limit
            counts[i, 0], counts[i, 1] = same, near


@compiled(parallel=True)
def collect_pairs(
    block: Floats,
    query: tuple[Ints, Ints],
    gallery: tuple[Ints, Ints],
    limit: np.float32,
    ends: Ints,
    same: Floats,
    near: Floats,
) -> None:
    """Write the distances that count_pairs counted.

    Each row fills its own range of the outputs backwards from its end, so rows can run in parallel.

    Args:
        block: (B, G) distances.
        query: (B,) identities and (B,) cameras; camera -1 (unknown) differs from every camera.
        gallery: (G,) identities and (G,) cameras.
        limit: the limit given to count_pairs.
        ends: (B, 2) cumulative sums of counts: where each row's range ends.
        same: output, distances of pairs of one identity.
        near: output, distances of pairs of different identities below the limit.
    """
    for i in prange(len(block)):
        same_place, near_place = ends[i, 0], ends[i, 1]
        for j in range(block.shape[1]):
            kind = pair_kind(query[0][i], query[1][i], gallery[0][j], gallery[1][j])
            if kind == GENUINE:
                same_place -= 1
                same[same_place] = block[i, j]
            elif kind == IMPOSTOR and block[i, j] < limit:
                near_place -= 1
                near[near_place] = block[i, j]


def upper_edges(bins: Ints) -> Floats:
    """Return the largest distance of each bin, same shape, float32."""
    bits = np.minimum(((bins + 1) << SHIFT) - 1, INFINITY_BITS).astype(np.int32)
    edges: Floats = bits.view(np.float32)
    return edges


def bin_numbers(distances: Floats) -> Ints:
    """Return the bin number of each distance; slightly negative distances (rounding) go to bin 0."""
    bits = np.ascontiguousarray(distances, dtype=np.float32).view(np.int32)
    return (np.maximum(bits, 0) >> SHIFT).astype(np.int64)
