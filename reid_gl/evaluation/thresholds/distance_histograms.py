"""Histograms of the cosine distances of genuine and impostor pairs, over all pairs."""

from __future__ import annotations

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.evaluation.compiled import compiled
from reid_gl.evaluation.scores.identities import check_identities
from reid_gl.evaluation.scores.matching import UNCOUNTED, pair_kind
from reid_gl.records import Features

LARGEST_DISTANCE = 2.0
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def distance_histograms(
    query: Features, gallery: Features, *, num_bins: int
) -> tuple[Ints, NDArray[np.float64]]:
    """Count the pairs that verify_pairs counts, by distance.

    Args:
        query: Q features.
        gallery: G features.
        num_bins: number of bins of equal width from distance 0 to 2; rounding errors outside this range fall
            into the outer bins.

    Returns:
        (2, num_bins) counts of genuine pairs (one identity) and impostor pairs (two identities), and (2,)
        the mean cosine of each kind, NaN if there are no such pairs.
    """
    query_ids, gallery_ids = (
        check_identities(name, side.pids, side.camids, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    )
    histograms = np.zeros((numba.get_num_threads(), 2, num_bins), np.int64)
    sums = np.zeros((len(histograms), 2))
    done = 0
    for block in distance_blocks(query.embeddings, gallery.embeddings, metric="cosine"):
        ids = (query_ids[0][done : done + len(block)], query_ids[1][done : done + len(block)])
        done += len(block)
        _count_block(block, ids, gallery_ids, histograms, sums)
    total = histograms.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return total, 1.0 - sums.sum(axis=0) / total.sum(axis=1)


@compiled(parallel=True)
def _count_block(
    block: Floats,
    query: tuple[Ints, Ints],
    gallery: tuple[Ints, Ints],
    histograms: Ints,
    sums: NDArray[np.float64],
) -> None:
    """Add the pairs of a block (B, G) to the histograms, and their distances to the sums.

    Each thread takes every num_shares-th row and writes only to its own share, so no two threads meet.

    Args:
        block: (B, G) cosine distances.
        query: identities (B,) and cameras (B,) of the rows.
        gallery: identities (G,) and cameras (G,) of the columns.
        histograms: (num_shares, 2, num_bins) counts, updated in place.
        sums: (num_shares, 2) sums of distances, updated in place.
    """
    num_shares, _, num_bins = histograms.shape
    for share in prange(num_shares):
        for i in range(share, len(block), num_shares):
            for j in range(block.shape[1]):
                kind = pair_kind(query[0][i], query[1][i], gallery[0][j], gallery[1][j])
                if kind != UNCOUNTED:
                    place = int(block[i, j] * (num_bins / LARGEST_DISTANCE))
                    histograms[share, kind, min(max(place, 0), num_bins - 1)] += 1
                    sums[share, kind] += block[i, j]
