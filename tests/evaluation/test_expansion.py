from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation import expand_queries, expansion
from tests.reference.slow_expansion import slow_expand_queries


def _features(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, 4)).astype(np.float32), 3 * rng.normal(size=(12, 4)).astype(np.float32)


def test_one_neighbour_by_hand() -> None:
    query, gallery = np.array([[2.0, 0.0]]), np.array([[3.0, 4.0], [0.0, -1.0]])
    expected = np.array([[1.6, 0.8]]) / np.hypot(1.6, 0.8)  # (1, 0) + (0.6, 0.8)
    np.testing.assert_allclose(expand_queries(query, gallery, num_neighbours=1), expected, atol=1e-6)
    weighted = np.array([[1.36, 0.48]]) / np.hypot(1.36, 0.48)  # (1, 0) + 0.6 (0.6, 0.8)
    result = expand_queries(query, gallery, num_neighbours=1, alpha=1.0)
    np.testing.assert_allclose(result, weighted, atol=1e-6)


@pytest.mark.parametrize("block_cells", [1, 16_000_000])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("num_neighbours", [0, 1, 4, 50])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_slow_version(
    seed: int, num_neighbours: int, alpha: float, block_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "BLOCK_CELLS", block_cells)
    query, gallery = _features(seed)
    settings = {"num_neighbours": num_neighbours, "alpha": alpha}
    expected = slow_expand_queries(query.tolist(), gallery.tolist(), **settings)
    np.testing.assert_allclose(expand_queries(query, gallery, **settings), expected, atol=1e-5)


def test_scale_and_order_of_the_gallery_do_not_matter_and_inputs_stay() -> None:
    query, gallery = _features(7)
    copies = query.copy(), gallery.copy()
    expected = expand_queries(query, gallery, num_neighbours=3, alpha=2.0)
    order = np.random.default_rng(0).permutation(12)
    other = expand_queries(9 * query, 0.1 * gallery[order], num_neighbours=3, alpha=2.0)
    np.testing.assert_allclose(other, expected, atol=1e-6)
    assert np.array_equal(query, copies[0])
    assert np.array_equal(gallery, copies[1])


def test_zero_rows_stay_finite() -> None:
    result = expand_queries(np.zeros((1, 2)), np.zeros((3, 2)), num_neighbours=2)
    assert result.tolist() == [[0.0, 0.0]]


def test_errors() -> None:
    query, gallery = _features(0)
    with pytest.raises(ValueError, match=r"query features have shape \(5, 3\), gallery features \(12, 4\)"):
        expand_queries(query[:, :3], gallery)
    with pytest.raises(ValueError, match=r"at least 0, got -1 neighbours and alpha 0\.0"):
        expand_queries(query, gallery, num_neighbours=-1)
    with pytest.raises(ValueError, match="at least 0, got 10 neighbours and alpha -1"):
        expand_queries(query, gallery, alpha=-1)
