"""Each kernel against sets and dictionaries, written as the paper defines them (Zhong et al., CVPR 2017)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reid_gl.evaluation.reranking.reciprocal import (
    average_sets,
    blend_overlap,
    reciprocal_sets,
    set_distances,
    weigh_sets,
)

NUM, K1, HALF, K2 = 40, 6, 3, 3
FEATURES = np.random.default_rng(3).normal(size=(NUM, 2)).astype(np.float32)
SQUARED = np.square(FEATURES[:, None] - FEATURES[None]).sum(axis=2)
NEAREST = np.argsort(SQUARED, axis=1, kind="stable").astype(np.int32)


def reciprocal(i: int, k: int) -> set[int]:
    return {j for j in NEAREST[i, : k + 1].tolist() if i in NEAREST[j, : k + 1]}


def expanded(i: int) -> set[int]:
    result = reciprocal(i, K1)
    for candidate in reciprocal(i, K1):
        other = reciprocal(candidate, HALF)
        if len(other & reciprocal(i, K1)) > 2 / 3 * len(other):
            result |= other
    return result


def as_dicts(starts: np.ndarray, members: np.ndarray, weights: np.ndarray) -> list[dict[int, float]]:
    return [dict(zip(members[a:b].tolist(), weights[a:b].tolist(), strict=True)) for a, b in pairwise(starts)]


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    return reciprocal_sets(NEAREST[:, : K1 + 1].copy(), K1, HALF)


@pytest.fixture
def weighted(sets: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts, members = sets
    rows = np.repeat(np.arange(NUM), np.diff(starts))
    return starts, members, weigh_sets(starts, SQUARED[rows, members])


def test_the_expanded_reciprocal_sets(sets: tuple[np.ndarray, np.ndarray]) -> None:
    starts, members = sets
    found = [members[a:b].tolist() for a, b in pairwise(starts)]
    assert found == [sorted(expanded(i)) for i in range(NUM)]
    assert any(len(expanded(i)) > len(reciprocal(i, K1)) for i in range(NUM)), "no set is expanded"


def test_a_pool_smaller_than_k1() -> None:
    small = np.argsort(SQUARED[:3, :3], axis=1, kind="stable").astype(np.int32)
    starts, members = reciprocal_sets(small, 20, 10)
    assert starts.tolist() == [0, 3, 6, 9]
    assert members.tolist() == [0, 1, 2] * 3


def test_weights_fall_with_the_distance_and_sum_to_one(weighted: tuple[np.ndarray, ...]) -> None:
    for i, own in enumerate(as_dicts(*weighted)):
        total = sum(np.exp(-SQUARED[i, j]) for j in own)
        assert own == pytest.approx({j: np.exp(-SQUARED[i, j]) / total for j in own}, rel=1e-5)


def test_each_set_becomes_the_mean_of_its_neighbours_sets(weighted: tuple[np.ndarray, ...]) -> None:
    before, after = as_dicts(*weighted), as_dicts(*average_sets(NEAREST, K2, *weighted))
    for i in range(NUM):
        expected: dict[int, float] = {}
        for neighbour in NEAREST[i, :K2].tolist():
            for j, weight in before[neighbour].items():
                expected[j] = expected.get(j, 0) + weight / K2
        assert after[i] == pytest.approx(expected, rel=1e-5)
        assert list(after[i]) == sorted(after[i])


def test_overlap_is_the_jaccard_distance(weighted: tuple[np.ndarray, ...]) -> None:
    num_queries, lambda_value = 5, 0.3
    starts, members, weights = weighted
    rows = np.repeat(np.arange(NUM), np.diff(starts))
    from_gallery = rows >= num_queries
    order = np.argsort(members[from_gallery], kind="stable")
    by_member = members[from_gallery][order]
    columns = (
        np.searchsorted(by_member, np.arange(NUM + 1)).astype(np.int64),
        (rows[from_gallery][order] - num_queries).astype(np.int32),
        weights[from_gallery][order],
    )
    original = SQUARED[1:num_queries, num_queries:] / SQUARED.max()
    result = original.copy()
    blend_overlap(result, 1, weighted, columns, lambda_value)

    dicts = as_dicts(*weighted)
    for i in range(1, num_queries):
        for j in range(num_queries, NUM):
            either = dicts[i].keys() | dicts[j].keys()
            pairs = [(dicts[i].get(m, 0.0), dicts[j].get(m, 0.0)) for m in either]
            jaccard = 1 - sum(map(min, pairs)) / sum(map(max, pairs))
            expected = (1 - lambda_value) * jaccard + lambda_value * original[i - 1, j - num_queries]
            assert result[i - 1, j - num_queries] == pytest.approx(expected, abs=1e-6)


def test_distances_to_members_beyond_the_neighbour_list_are_missing(
    sets: tuple[np.ndarray, np.ndarray],
) -> None:
    starts, members = sets
    near = np.take_along_axis(SQUARED, NEAREST.astype(np.int64), axis=1)
    squared, missing = set_distances(starts, members, NEAREST[:, :2].copy(), near[:, :2].copy())
    rows = np.repeat(np.arange(NUM), np.diff(starts))
    known = np.array([j in NEAREST[i, :2] for i, j in zip(rows, members, strict=True)])
    assert np.array_equal(missing, ~known)
    assert np.array_equal(squared, np.where(known, SQUARED[rows, members], 0))
