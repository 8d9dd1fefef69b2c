from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_features
from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.evaluation.copies import find_copies
from reid_gl.records import Features


def test_agrees_with_comparing_every_pair() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows = rng.integers(-1, 2, (60, rng.integers(1, 5))).astype(np.float32)
        rows *= rng.choice([0.0, -0.0, 0.3], rows.shape).astype(np.float32)
        copies, originals = find_copies(rows)
        equal = (rows[:, None] == rows).all(axis=2)
        first = equal.argmax(axis=1)
        expected = np.flatnonzero(first < np.arange(60))
        assert copies.tolist() == expected.tolist()
        assert originals.tolist() == first[expected].tolist()


def test_rows_that_differ_in_one_number_are_no_copies() -> None:
    rows = np.ones((100, 100), np.float32)
    rows[np.arange(100), np.arange(100)] = 2
    assert [places.size for places in find_copies(rows)] == [0, 0]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("num_queries", [1, 5])
@pytest.mark.parametrize("num", [3, 7, 17, 64, 129])
@pytest.mark.parametrize("width", [16, 33, 512, 1030])
def test_features_that_are_all_equal_find_nobody(metric: str, num_queries: int, num: int, width: int) -> None:
    """Equal distances count against the match, so that only a gallery without wrong images is right."""
    row = np.random.default_rng(width).normal(size=width).astype(np.float32)
    query, gallery = np.tile(row, (num_queries, 1)), np.tile(row, (num, 1))
    (block,) = distance_blocks(query, gallery, metric=metric)
    assert (block == block[:, :1]).all()
    pids = np.arange(num) % 2
    result = evaluate_features(
        Features(query, np.zeros(num_queries, np.int64), np.full(num_queries, -1)),
        Features(gallery, pids, np.full(num, -1)),
        metric=metric,
    )
    assert result.rank(1) == 0
    assert set(result.first_match.tolist()) == {int((pids == 1).sum()) + 1}
