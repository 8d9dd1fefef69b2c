from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.cameras import CAMERAS
from reid_gl.synthetic.stage import (
    CAMERA_HEIGHT,
    FARTHEST,
    FOCAL,
    HORIZON,
    NEAREST,
    Obstacle,
    build_stage,
    draw_obstacle,
    half_view,
)

WIDTH, HEIGHT = 320, 180
STAGE = build_stage(CAMERAS[0], WIDTH, HEIGHT, np.random.default_rng(0))


def test_a_point_on_the_ground_by_hand() -> None:
    assert STAGE.scale(3.0) == pytest.approx(FOCAL * HEIGHT / 3)
    column, row = STAGE.project(0.5, 3.0)
    assert column == pytest.approx(160 + 0.5 * 75)
    assert row == pytest.approx(HORIZON * HEIGHT + CAMERA_HEIGHT * 75)


def test_what_is_farther_away_is_smaller_and_nearer_to_the_horizon() -> None:
    depths = np.linspace(NEAREST, FARTHEST, 5)
    rows = [STAGE.project(0.0, depth)[1] for depth in depths]
    assert rows == sorted(rows, reverse=True)
    assert min(rows) > HORIZON * HEIGHT
    assert max(rows) < 1.1 * HEIGHT
    heads = [row - STAGE.scale(depth) for row, depth in zip(rows, depths, strict=True)]
    assert min(heads) > 0


@pytest.mark.parametrize("depth", [NEAREST, 3.3, FARTHEST])
def test_half_the_view_reaches_to_the_border(depth: float) -> None:
    assert STAGE.project(half_view(WIDTH / HEIGHT, depth), depth)[0] == pytest.approx(WIDTH)
    assert STAGE.project(-half_view(WIDTH / HEIGHT, depth), depth)[0] == pytest.approx(0)


def test_a_stage_has_two_obstacles_farthest_first_on_both_sides() -> None:
    for seed in range(10):
        stage = build_stage(CAMERAS[seed % 6], WIDTH, HEIGHT, np.random.default_rng(seed))
        first, second = stage.obstacles
        assert FARTHEST > first.depth > second.depth > NEAREST
        assert first.across * second.across < 0
        assert stage.background.shape == (HEIGHT, WIDTH, 3)
        assert stage.light.shape == (HEIGHT, WIDTH, 1)
        assert 0.5 < stage.light.mean() < 2
        again = build_stage(CAMERAS[seed % 6], WIDTH, HEIGHT, np.random.default_rng(seed))
        assert again.obstacles == stage.obstacles
        assert np.array_equal(again.background, stage.background)
        assert np.array_equal(again.light, stage.light)


def test_an_obstacle_is_painted_where_it_stands() -> None:
    obstacle = Obstacle(across=0.5, depth=3.0, width=0.4, height=1.0, paint=(10, 100, 200))
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    left, top, right, bottom = draw_obstacle(canvas, STAGE, obstacle)
    column, foot = STAGE.project(0.5, 3.0)
    assert (left, right) == (round(column - 15), round(column + 15))
    assert (top, bottom) == (round(foot - 75), round(foot))
    painted = canvas.any(axis=2)
    assert painted[top:bottom, left:right].all()
    assert painted.sum() == (bottom - top) * (right - left)
    middle = canvas[(top + bottom) // 2 - 10, (left + right) // 2]
    np.testing.assert_allclose(middle / middle[2], [0.05, 0.5, 1], rtol=1e-4)


def test_an_obstacle_outside_the_image_is_not_painted() -> None:
    obstacle = Obstacle(across=9.0, depth=3.0, width=0.4, height=1.0, paint=(10, 100, 200))
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    left, _, right, _ = draw_obstacle(canvas, STAGE, obstacle)
    assert left == right == WIDTH
    half = replace(obstacle, across=half_view(WIDTH / HEIGHT, 3.0))
    assert draw_obstacle(canvas, STAGE, half)[2] == WIDTH
    assert canvas.any(axis=(0, 2)).sum() == 15
