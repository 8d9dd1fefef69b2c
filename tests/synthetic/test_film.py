from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.body import Pose
from reid_gl.synthetic.cameras import CAMERAS
from reid_gl.synthetic.film import Actor, draw_weather, expose_frame, paint_scene
from reid_gl.synthetic.stage import Obstacle, Stage, build_stage
from reid_gl.synthetic.write_sequences import draw_sequence_people

WIDTH, HEIGHT = 320, 180
PEOPLE = draw_sequence_people(0, 4)
POSE = Pose(1.3, 0.7, 1.0)


def make_stage(*obstacles: Obstacle) -> Stage:
    stage = build_stage(CAMERAS[0], WIDTH, HEIGHT, np.random.default_rng(0))
    return replace(stage, obstacles=obstacles, light=np.ones_like(stage.light))


def actor(index: int = 0, *, across: float = 0.0, depth: float = 3.0) -> Actor:
    return Actor(index, PEOPLE[index], POSE, across, depth)


@pytest.mark.parametrize("depth", [2.6, 3.0, 4.0])
def test_the_box_is_where_the_person_was_drawn(depth: float) -> None:
    stage = make_stage()
    empty, _ = paint_scene(stage, [])
    canvas, (seen,) = paint_scene(stage, [actor(depth=depth)])
    left, top, width, height = seen.box
    changed = np.abs(canvas - empty).max(axis=2) > 4
    body = changed[: int(top + 0.8 * height)]  # above the shadow
    columns, rows = np.flatnonzero(body.any(axis=0)), np.flatnonzero(body.any(axis=1))
    assert seen.visibility == 1
    assert rows[0] == pytest.approx(top, abs=2)
    assert columns[0] >= left - 1
    assert columns[-1] <= left + width + 1
    assert height == pytest.approx(stage.scale(depth), rel=0.12)
    assert (empty == stage.background).all()


def test_people_in_front_hide_people_behind() -> None:
    _, (behind, front) = paint_scene(make_stage(), [actor(0, depth=4.0), actor(1, depth=2.6)])
    _, (alone,) = paint_scene(make_stage(), [actor(0, depth=4.0)])
    assert (front.visibility, alone.visibility) == (1, 1)
    assert behind.visibility < 0.5
    assert behind.box == alone.box
    _, swapped = paint_scene(make_stage(), [actor(1, depth=2.6), actor(0, depth=4.0)])
    assert swapped == [behind, front]


def test_obstacles_hide_who_is_behind_them_only() -> None:
    wall = Obstacle(across=0.0, depth=3.3, width=1.5, height=2.0, paint=(10, 20, 30))
    stage = make_stage(wall)
    _, (behind, front) = paint_scene(stage, [actor(0, depth=3.6), actor(1, depth=3.0)])
    assert (behind.visibility, front.visibility) == (0, 1)
    low = replace(wall, height=0.5)
    _, (half,) = paint_scene(make_stage(low), [actor(0, depth=3.4)])
    assert 0.3 < half.visibility < 0.8


def test_somebody_half_outside_is_half_seen_and_somebody_outside_is_not_there() -> None:
    stage = make_stage()
    edge = WIDTH / 2 / stage.scale(3.0)
    _, (half,) = paint_scene(stage, [actor(across=edge)])
    assert 0.3 < half.visibility < 0.7
    assert half.box[0] + half.box[2] > WIDTH
    assert paint_scene(stage, [actor(across=edge + 1)])[1] == []


def test_noise_differs_from_frame_to_frame_but_not_between_runs() -> None:
    stage = make_stage()
    weather = draw_weather(stage.camera, WIDTH, HEIGHT, np.random.default_rng(0))
    canvas, _ = paint_scene(stage, [])
    shots = [expose_frame(canvas, stage, weather, 3, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert (shots[0] == shots[1]).all()
    assert (shots[0] != shots[2]).mean() > 0.5
    assert shots[0].shape == (HEIGHT, WIDTH, 3)
