"""Pairs of a block of distances, compiled: those of one identity apart, all others counted by distance.

Distances at least 0 have the order of their bits read as a whole number, so their highest bits number bins
whose width is a fixed share of the distance, whatever its unit.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.records import JUNK_PID

SHIFT = 11
"""Bits of a float32 that do not count: a bin is at most 2 ** -12 of its distance wide."""

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
    """Count pairs of different identities in bins, and what collect_pairs will find in each row.

    Args:
        block: (B, G) distances.
        bits: (B, G) the same memory as whole numbers.
        query: (B,) identities and (B,) cameras; camera -1 matches none.
        gallery: (G,) identities and (G,) cameras.
        limit: pairs of different identities nearer than this will be collected.
        histograms: (any, NUM_BINS) to which is added; one row for each share of the work.
        counts: (B, 2) filled in: pairs of one identity, pairs of two below the limit.
    """
    num_shares = len(histograms)
    for share in prange(num_shares):
        for i in range(share, len(block), num_shares):
            near = same = 0
            for j in range(block.shape[1] if query[0][i] != JUNK_PID else 0):
                if gallery[0][j] == query[0][i]:
                    same += query[1][i] < 0 or gallery[1][j] != query[1][i]
                elif gallery[0][j] != JUNK_PID:
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

    Args:
        block: (B, G) distances.
        query: (B,) identities and (B,) cameras; camera -1 matches none.
        gallery: (G,) identities and (G,) cameras.
        limit: as given to count_pairs.
        ends: (B, 2) running totals of counts.
        same: distances of pairs of one identity, filled in.
        near: distances below the limit of pairs of two identities, filled in.
    """
    for i in prange(len(block)):
        same_place, near_place = ends[i, 0], ends[i, 1]
        for j in range(block.shape[1] if query[0][i] != JUNK_PID else 0):
            if gallery[0][j] == query[0][i]:
                if query[1][i] < 0 or gallery[1][j] != query[1][i]:
                    same_place -= 1
                    same[same_place] = block[i, j]
            elif gallery[0][j] != JUNK_PID and block[i, j] < limit:
                near_place -= 1
                near[near_place] = block[i, j]


def upper_edges(bins: Ints) -> Floats:
    """Largest distance in each bin, (any,) float32."""
    bits = np.minimum(((bins + 1) << SHIFT) - 1, INFINITY_BITS).astype(np.int32)
    edges: Floats = bits.view(np.float32)
    return edges


def bin_numbers(distances: Floats) -> Ints:
    """Bin of each distance, (any,); negative ones, which rounding leaves, are in the first."""
    bits = np.ascontiguousarray(distances, dtype=np.float32).view(np.int32)
    return (np.maximum(bits, 0) >> SHIFT).astype(np.int64)
