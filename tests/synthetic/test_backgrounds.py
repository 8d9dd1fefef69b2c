from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from reid_gl.synthetic import backgrounds
from reid_gl.synthetic.backgrounds import (
    GROUND,
    SCENE_HEIGHT,
    SCENE_WIDTH,
    SCENES,
    crop_background,
    scene_image,
)
from reid_gl.synthetic.cameras import CAMERAS


def test_every_camera_has_a_scene_of_its_own() -> None:
    assert sorted(camera.scene for camera in CAMERAS) == sorted(SCENES)


def test_a_scene_is_the_same_whenever_it_is_drawn() -> None:
    scene = scene_image("shops")
    scene_image.cache_clear()
    assert np.array_equal(scene_image("shops"), scene)


@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_paler_than_clothes(name: str) -> None:
    scene = scene_image(name)
    assert (scene.shape, scene.dtype) == ((SCENE_HEIGHT, SCENE_WIDTH, 3), np.uint8)
    saturation = scene.max(axis=2).astype(int) - scene.min(axis=2)
    assert saturation.mean() < 60


def test_scenes_differ() -> None:
    means = {name: scene_image(name).mean(axis=(0, 1)) for name in SCENES}
    assert min(np.abs(means[one] - means[other]).max() for one, other in combinations(SCENES, 2)) > 3


@pytest.mark.parametrize("size", [(64, 32), (160, 100)])
def test_crops_have_the_size_asked_for_and_vary_in_place_and_light(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    crops = [crop_background("shops", *size, rng) for _ in range(20)]
    assert {(crop.shape, crop.dtype.name) for crop in crops} == {((*size, 3), "float32")}
    means = np.array([crop.mean() for crop in crops])
    assert 0.1 < means.std() / means.mean() < 0.5
    again = crop_background("shops", *size, np.random.default_rng(0))
    assert np.array_equal(again, crops[0])


def test_feet_stand_on_the_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = np.zeros((SCENE_HEIGHT, SCENE_WIDTH, 3), np.uint8)
    scene[GROUND:] = 100
    monkeypatch.setattr(backgrounds, "scene_image", lambda name, scenery: scene)
    rng = np.random.default_rng(0)
    for _ in range(50):
        is_ground = (crop_background("grass", 100, 50, rng) > 50).all(axis=(1, 2))
        begin = int(is_ground.argmax())
        assert 50 <= begin <= 75
        assert is_ground[begin:].all()
