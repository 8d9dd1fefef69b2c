from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from reid_gl.synthetic.occluders import OCCLUDERS, draw_occluder

SIZE = (128, 64, 3)


def _covered(draw: Callable[[np.ndarray, np.random.Generator], None], seed: int) -> np.ndarray:
    canvas = np.full(SIZE, -1, np.float32)
    draw(canvas, np.random.default_rng(seed))
    return (canvas != -1).any(axis=2)


def test_a_post_stands_beside_the_middle_from_top_to_bottom() -> None:
    for seed in range(50):
        covered = _covered(OCCLUDERS[0], seed)
        assert not covered[:, 32].all()
        assert covered.any(axis=1).all()
        assert 0.05 < covered.mean() < 0.3


def test_a_box_hides_legs_and_never_the_upper_half() -> None:
    for seed in range(50):
        covered = _covered(OCCLUDERS[1], seed)
        assert not covered[:80].any()
        assert covered[-1].any()


def test_a_bicycle_can_be_seen_through() -> None:
    for seed in range(50):
        covered = _covered(OCCLUDERS[2], seed)
        assert 0.005 < covered.mean() < 0.25
        assert not covered[:70].any()


def test_every_kind_is_drawn_and_the_same_numbers_draw_the_same() -> None:
    shares = [_covered(draw_occluder, seed).mean() for seed in range(60)]
    assert min(shares) > 0
    assert max(shares) > 0.2
    assert len(set(shares)) > 30
    assert np.array_equal(_covered(draw_occluder, 3), _covered(draw_occluder, 3))


@pytest.mark.parametrize("draw", OCCLUDERS)
def test_colours_are_those_of_an_image(draw: Callable[[np.ndarray, np.random.Generator], None]) -> None:
    canvas = np.full(SIZE, 128, np.float32)
    draw(canvas, np.random.default_rng(0))
    assert canvas.min() >= 0
    assert canvas.max() <= 255
