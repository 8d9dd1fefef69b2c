from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.backgrounds import scene_image
from reid_gl.synthetic.cameras import CAMERAS
from reid_gl.synthetic.casting import draw_people, look
from reid_gl.synthetic.garments import cloth_tile
from reid_gl.synthetic.worlds import CAMERAS_PER_WORLD, camera_of, dye_clothes


def test_the_first_six_cameras_are_those_of_every_set() -> None:
    assert tuple(camera_of(seed, camid) for seed in (0, 9) for camid in range(6)) == CAMERAS + CAMERAS


def test_a_world_s_camera_follows_from_seed_and_number() -> None:
    cameras = [camera_of(seed, camid) for seed in (0, 1) for camid in range(CAMERAS_PER_WORLD, 30)]
    assert len(set(cameras)) == len(cameras)
    camera_of.cache_clear()
    assert camera_of(1, 29) == cameras[-1]


def test_each_camera_of_a_world_has_surroundings_of_its_own() -> None:
    assert len({camera_of(0, camid).scenery for camid in range(CAMERAS_PER_WORLD, 60)}) == 54
    assert np.array_equal(scene_image("road", 7), scene_image("road", 7))
    assert not np.array_equal(scene_image("road", 7), scene_image("road", 8))
    assert not np.array_equal(scene_image("road", 7), scene_image("road"))


def test_drawn_cameras_are_usable() -> None:
    for camid in range(CAMERAS_PER_WORLD, 200):
        camera = camera_of(3, camid)
        assert 0 < camera.resolution <= 1
        assert 0 <= camera.haze < 0.5
        assert 1 <= camera.quality[0] < camera.quality[1] <= 100
        assert len(camera.headings) == 2


def test_dyed_clothes_keep_their_pattern() -> None:
    person = draw_people(np.random.default_rng(0), 1)[0]
    dyed = dye_clothes(person, np.random.default_rng(1))
    assert look(dyed) == look(person)
    assert dyed == dye_clothes(person, np.random.default_rng(1))
    assert dyed.upper.dye != dyed.lower.dye
    assert replace(dyed, upper=person.upper, lower=person.lower) == person


def test_a_dye_multiplies_every_colour_of_the_garment() -> None:
    garment = draw_people(np.random.default_rng(0), 1)[0].upper
    plain = cloth_tile(garment, "limb")
    dyed = cloth_tile(replace(garment, dye=(0.5, 0.25, 0.75)), "limb")
    assert dyed == pytest.approx(plain * np.array([0.5, 0.25, 0.75]), abs=1e-3)
