from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import search, search_gallery
from reid_gl.similarity import METRICS
from tests.reference.slow_similarity import slow_cosine_distance, slow_euclidean_distance


@pytest.mark.parametrize("tile", [(1, 1), (3, 7), (1_024, 8_192)])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_sorting_all_distances(
    seed: int, metric: str, tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TILE_QUERIES", tile[0])
    monkeypatch.setattr(search, "TILE_IMAGES", tile[1])
    rng = np.random.default_rng(seed)
    query = rng.normal(size=(5, 4)).astype(np.float32)
    gallery = rng.normal(size=(40, 4)).astype(np.float32)
    slow = slow_cosine_distance if metric == "cosine" else slow_euclidean_distance
    expected = np.array(slow(query.tolist(), gallery.tolist()))
    distances, places = search_gallery(query, gallery, num_nearest=9, metric=metric)
    order = np.argsort(expected, axis=1)[:, :9]
    np.testing.assert_array_equal(places, order)
    np.testing.assert_allclose(distances, np.take_along_axis(expected, order, axis=1), atol=1e-5)


def test_equal_distances_come_in_the_order_of_the_gallery() -> None:
    gallery = np.array([[0, 2], [3, 0], [0, 5], [1, 0], [9, 0]], np.float32)
    distances, places = search_gallery(np.array([[1, 0], [0, 1]], np.float32), gallery, num_nearest=9)
    assert places.tolist() == [[1, 3, 4, 0, 2], [0, 2, 1, 3, 4]]
    assert distances.tolist() == [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]


def test_only_directions_count_under_cosine_however_short_or_long() -> None:
    gallery = np.array([[0, 2e-30], [3e15, 0], [0, 0], [1e-25, 1e-25]], np.float32)
    distances, places = search_gallery(np.array([[1e-28, 0]], np.float32), gallery)
    assert places.tolist() == [[1, 3, 0, 2]]
    np.testing.assert_allclose(distances, [[0, 1 - 0.5**0.5, 1, 1]], atol=1e-6)


def test_a_gallery_on_disk(tmp_path: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    np.save(tmp_path / "gallery.npy", rows)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    assert search_gallery(rows[:7], mapped, num_nearest=1)[1].ravel().tolist() == list(range(7))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "dot"}, "unknown metric 'dot'"),
        ({"num_nearest": 0}, "num_nearest must be at least 1, got 0"),
        ({"gallery": np.ones((3, 5), np.float32)}, r"query features have shape \(2, 4\)"),
        (
            {"query": np.full((1, 4), np.inf)},
            r"query features are NaN, infinite or beyond 1e\+17 in 1 of 1 rows: 0",
        ),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    arguments = {"query": np.ones((2, 4), np.float32), "gallery": np.ones((3, 4), np.float32), **changes}
    with pytest.raises(ValueError, match=message):
        search_gallery(**arguments)
