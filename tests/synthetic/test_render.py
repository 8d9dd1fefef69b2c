from __future__ import annotations

import math

import numpy as np
import pytest

from reid_gl.synthetic.body import Pose
from reid_gl.synthetic.cameras import CAMERAS
from reid_gl.synthetic.casting import draw_people
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.render import Framing, render_person

VIEWS = {"front": 0.0, "side": math.pi / 2, "back": math.pi, "other side": -math.pi / 2, "half": 0.8}


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return draw_people(np.random.default_rng(5), 40)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("camid", range(len(CAMERAS)))
def test_every_view_from_every_camera(people: list[Person], view: str, camid: int) -> None:
    for number, person in enumerate(people[:6]):
        rng = np.random.default_rng((camid, number))
        image = render_person(person, CAMERAS[camid], rng, pose=Pose(VIEWS[view], 1.3 * number, 0.8))
        assert image.shape == (128, 64, 3)
        assert image.dtype == np.uint8
        assert image.std() > 5


def _render(person: Person | None, *, yaw: float = 0.0, phase: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return render_person(person, CAMERAS[0], rng, pose=Pose(yaw, phase, 0.9), framing=Framing()).astype(int)


def test_same_random_numbers_same_image(people: list[Person]) -> None:
    assert np.array_equal(_render(people[0]), _render(people[0]))
    assert not np.array_equal(_render(people[0]), _render(people[0], seed=1))


def test_person_stands_in_the_middle_of_the_box(people: list[Person]) -> None:
    difference = np.mean([np.abs(_render(person) - _render(None)).sum(axis=2) for person in people], axis=0)
    assert difference[20:110, 26:38].mean() > 5 * difference[:, :6].mean()


@pytest.mark.parametrize("change", [{"yaw": math.pi}, {"yaw": math.pi / 2}, {"phase": math.pi / 2}])
def test_view_and_step_change_the_image(people: list[Person], change: dict[str, float]) -> None:
    changes = [np.abs(_render(person) - _render(person, **change)).mean() for person in people]
    assert min(changes) > 1


def test_two_people_are_told_apart_in_the_same_pose(people: list[Person]) -> None:
    images = np.stack([_render(person)[10:120, 16:48] for person in people])
    distances = np.abs(images[:, None] - images[None]).mean(axis=(2, 3, 4))
    assert (distances + 100 * np.eye(len(people))).min() > 5


def test_box_beyond_the_person_shows_only_the_place(people: list[Person]) -> None:
    rng = np.random.default_rng(0)
    away = render_person(people[0], CAMERAS[0], rng, pose=Pose(0, 0, 1), framing=Framing(0.9, 9.0, 9.0))
    assert np.array_equal(away, _render(None))
