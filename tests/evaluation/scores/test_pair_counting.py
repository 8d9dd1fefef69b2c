from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.pair_counting import (
    NUM_BINS,
    SHIFT,
    bin_numbers,
    collect_pairs,
    count_pairs,
    upper_edges,
)
from tests.reference.slow_verification import slow_pairs


def test_bins_hold_their_upper_edge_and_keep_the_order() -> None:
    distances = np.sort(np.random.default_rng(0).uniform(0, 1e4, 2000).astype(np.float32))
    numbers = bin_numbers(distances)
    edges = upper_edges(numbers)
    assert (np.diff(numbers) >= 0).all()
    assert (distances <= edges).all()
    assert (edges - distances <= distances * 2.0 ** (SHIFT - 23)).all()
    assert np.array_equal(bin_numbers(edges), numbers)
    assert (bin_numbers(np.nextafter(edges, np.float32(np.inf))) == numbers + 1).all()
    assert bin_numbers(np.array([-1e-7, -0.0, 0.0], dtype=np.float32)).tolist() == [0, 0, 0]


def test_the_last_bin_that_a_distance_can_have_is_infinity() -> None:
    numbers = bin_numbers(np.array([np.inf], dtype=np.float32))
    assert numbers[0] < NUM_BINS
    assert upper_edges(numbers).tolist() == upper_edges(numbers + 1).tolist() == [np.inf]


@pytest.mark.parametrize("limit", [0.0, 0.5, np.inf])
def test_pairs_are_counted_and_collected_as_listing_them_does(limit: float) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        block = rng.random((7, 20)).round(1).astype(np.float32)
        query, gallery = ((rng.integers(-1, 4, num), rng.integers(-1, 3, num)) for num in (7, 20))
        ids = [(pids.tolist(), camids.tolist()) for pids, camids in (query, gallery)]
        same, different = slow_pairs(block.tolist(), *ids, use_cameras=True)
        near = [distance for distance in different if distance < limit]

        histograms, counts = np.zeros((3, NUM_BINS), dtype=np.int64), np.empty((7, 2), dtype=np.int64)
        count_pairs(block, block.view(np.int32), query, gallery, np.float32(limit), histograms, counts)
        assert counts.sum(axis=0).tolist() == [len(same), len(near)]
        numbers = bin_numbers(np.array(different, dtype=np.float32))
        assert np.array_equal(histograms.sum(axis=0), np.bincount(numbers, minlength=NUM_BINS))

        found = np.empty(len(same), dtype=np.float32), np.empty(len(near), dtype=np.float32)
        collect_pairs(block, query, gallery, np.float32(limit), np.cumsum(counts, axis=0), *found)
        assert [sorted(distances.tolist()) for distances in found] == [sorted(same), sorted(near)]
