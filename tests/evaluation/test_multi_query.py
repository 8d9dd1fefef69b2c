from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_features
from reid_gl.evaluation.multi_query import POOLINGS, pool_queries
from reid_gl.records import Features
from tests.reference.slow_multi_query import slow_pool_queries


def _features(rows: Any, pids: Any, camids: Any, paths: tuple[str, ...]) -> Features:
    return Features(np.array(rows, dtype=np.float32), np.array(pids), np.array(camids), paths)


def _random(seed: int, num: int, folder: str) -> Features:
    """Few identities and cameras, junk, distractors, unknown cameras; names that both folders share."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(num, 5)) * rng.uniform(0.1, 10, size=(num, 1))
    names = rng.choice(40, num, replace=False)
    return _features(
        rows,
        rng.integers(-1, 4, num),
        rng.integers(-1, 2, num),
        tuple(f"{folder}/{name}.jpg" for name in names),
    )


def _images(features: Features) -> list[tuple[list[float], int, int, str]]:
    names = [path.split("/")[-1] for path in features.paths]
    rows = features.embeddings.tolist(), features.pids.tolist(), features.camids.tolist(), names
    return list(zip(*rows, strict=True))


def test_average_and_max_by_hand() -> None:
    query = _features([[2, 0]], [7], [0], ("query/a.jpg",))
    extra = _features(
        [[3, 4], [0, 9], [9, 0], [-5, -5]], [7, 7, 8, 7], [0, 0, 0, 1], ("b.jpg", "c.jpg", "d.jpg", "e.jpg")
    )
    average = np.array([1 + 0.6 + 0, 0 + 0.8 + 1]) / np.hypot(1.6, 1.8)  # (1, 0), (0.6, 0.8) and (0, 1)
    np.testing.assert_allclose(pool_queries(query, extra).embeddings, average[None], atol=1e-6)
    largest = np.array([1, 1]) / np.sqrt(2)
    np.testing.assert_allclose(pool_queries(query, extra, pooling="max").embeddings, largest[None], atol=1e-6)


def test_the_query_among_the_extra_images_counts_once() -> None:
    query = _features([[2, 0]], [7], [0], ("query/a.jpg",))
    extra = _features([[0, 1], [0, 5]], [7, 7], [0, 0], ("gt_bbox/a.jpg", "gt_bbox/b.jpg"))
    expected = np.array([[1, 1]]) / np.sqrt(2)  # the query's own feature stands for gt_bbox/a.jpg
    np.testing.assert_allclose(pool_queries(query, extra).embeddings, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_agrees_with_the_slow_version(pooling: str) -> None:
    for seed in range(8):
        query, extra = _random(seed, 8, "query"), _random(seed + 100, 30, "gt_bbox")
        expected = slow_pool_queries(_images(query), _images(extra), pooling=pooling)
        result = pool_queries(query, extra, pooling=pooling)
        np.testing.assert_allclose(result.embeddings, expected, atol=1e-6)
        assert result.embeddings.dtype == np.float32
        assert (result.pids is query.pids, result.camids is query.camids) == (True, True)
        assert result.paths == query.paths


@pytest.mark.parametrize("pooling", POOLINGS)
def test_scale_and_order_of_the_extra_images_do_not_matter_and_inputs_stay(pooling: str) -> None:
    query, extra = _random(1, 8, "query"), _random(2, 30, "gt_bbox")
    copies = query.embeddings.copy(), extra.embeddings.copy()
    expected = pool_queries(query, extra, pooling=pooling).embeddings
    order = np.random.default_rng(0).permutation(30)
    other = Features(
        4 * extra.embeddings[order],
        extra.pids[order],
        extra.camids[order],
        tuple(extra.paths[place] for place in order),
    )
    np.testing.assert_allclose(pool_queries(query, other, pooling=pooling).embeddings, expected, atol=1e-6)
    assert np.array_equal(query.embeddings, copies[0])
    assert np.array_equal(extra.embeddings, copies[1])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_query_alone_keeps_its_direction(pooling: str) -> None:
    query = _features(
        [[3, -4], [0, 2], [0, -2], [0, 0]], [1, 0, 2, 3], [0, 0, -1, 0], tuple("abcd")
    )  # nobody else, a distractor, an unknown camera, nobody else
    extra = _features([[1, 0]] * 3, [1, 0, 2], [1, 0, -1], tuple("xyz"))
    expected = np.array([[0.6, -0.8], [0, 1], [0, -1], [0, 0]])
    np.testing.assert_allclose(pool_queries(query, extra, pooling=pooling).embeddings, expected, atol=1e-6)
    nothing = _features(np.empty((0, 2)), [], [], ())
    np.testing.assert_allclose(pool_queries(query, nothing, pooling=pooling).embeddings, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_more_images_of_people_partly_hidden_score_better(pooling: str) -> None:
    rng = np.random.default_rng(0)
    centres = rng.exponential(size=(40, 16))

    def images(count: int, camid: int, folder: str) -> Features:
        pids = np.arange(count) % 40
        rows = centres[pids] * (rng.random((count, 16)) < 0.6)
        names = tuple(f"{folder}/{folder}{place}" for place in range(count))
        return _features(rows, pids + 1, np.full(count, camid), names)

    query, extra, gallery = images(40, 0, "q"), images(160, 0, "e"), images(200, 1, "g")
    single = evaluate_features(query, gallery).mean_ap
    assert evaluate_features(pool_queries(query, extra, pooling=pooling), gallery).mean_ap > single + 0.05


def test_errors() -> None:
    query, extra = _random(0, 3, "query"), _random(1, 4, "gt_bbox")
    with pytest.raises(ValueError, match="unknown pooling 'sum': expected one of average, max"):
        pool_queries(query, extra, pooling="sum")
    with pytest.raises(ValueError, match=r"\(Q, D\) and \(E, D\), got \(3, 4\) and \(4, 5\)"):
        pool_queries(replace(query, embeddings=query.embeddings[:, :4]), extra)
    with pytest.raises(ValueError, match="extra has 4 features, but 0 paths: expected as many; file names"):
        pool_queries(query, replace(extra, paths=()))
    with pytest.raises(ValueError, match="query has 3 features, but 2 pids, 1 camids: expected as many"):
        pool_queries(replace(query, pids=query.pids[:2], camids=query.camids[:1]), extra)
    extra.embeddings[2, 1] = np.inf
    with pytest.raises(ValueError, match=r"extra features are NaN or infinite in 1 of 4 rows, first \[2\]"):
        pool_queries(query, extra)
