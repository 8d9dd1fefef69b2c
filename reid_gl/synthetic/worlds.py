"""Worlds: sets of six cameras that differ from CAMERAS in place, light and sensor, and dyed clothes.

A network that has seen one set of cameras only learns these cameras, too. Training identities spread over
many worlds have little in common but being people.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from reid_gl.synthetic.backgrounds import SCENES
from reid_gl.synthetic.cameras import CAMERAS, FRONT, SIDE, Camera
from reid_gl.synthetic.garments import Garment
from reid_gl.synthetic.people import Person, pick

CAMERAS_PER_WORLD = len(CAMERAS)
OPPOSITE = math.pi
DYE_LIGHTNESS, DYE_HUE = 0.3, 0.22
"""Standard deviations of the logarithm of a dye's gain: common to the three channels, and of each."""


@lru_cache(maxsize=64)
def camera_of(seed: int, camid: int) -> Camera:
    """Return one of CAMERAS, or a camera of a world.

    Args:
        seed: seed of the set.
        camid: index into CAMERAS; from CAMERAS_PER_WORLD on, the cameras of one world after another.
    """
    if camid < CAMERAS_PER_WORLD:
        return CAMERAS[camid]
    return draw_camera(np.random.default_rng(np.random.SeedSequence((seed, 0, 1 + camid, 0))), camid)


def draw_camera(rng: np.random.Generator, scenery: int) -> Camera:
    """Draw a camera.

    Args:
        rng: source of all random choices.
        scenery: chooses the details of the background, from 1; each number gives other ones.
    """
    heading = float(rng.choice(np.array([FRONT, SIDE]))) + float(rng.uniform(-0.7, 0.7))
    quality = int(rng.integers(35, 80))
    blue, green, red = np.exp(rng.normal(0, 0.1, 3)).tolist()
    return Camera(
        scene=pick(rng, tuple(SCENES)),
        pitch=float(rng.uniform(0.05, 0.35)),
        headings=(heading, heading + OPPOSITE),
        light=float(rng.uniform(-1.3, 1.3)),
        exposure=float(np.exp(rng.normal(0, 0.2))),
        balance=(blue, green, red),
        saturation=float(rng.uniform(0.6, 1.25)),
        gamma=float(rng.uniform(0.8, 1.3)),
        haze=float(rng.uniform(0, 0.12)),
        resolution=float(rng.uniform(0.45, 1)),
        defocus=float(rng.uniform(0.3, 0.8)),
        noise=float(rng.uniform(2, 9)),
        jitter=float(rng.uniform(0.02, 0.05)),
        occlusion=float(rng.uniform(0.04, 0.15)),
        quality=(quality, quality + 20),
        scenery=scenery,
    )


def dye_clothes(person: Person, rng: np.random.Generator) -> Person:
    """Return the person with both garments in drawn shades of their colours."""
    return replace(person, upper=_dye(person.upper, rng), lower=_dye(person.lower, rng))


def _dye(garment: Garment, rng: np.random.Generator) -> Garment:
    gains = np.exp(rng.normal(0, DYE_LIGHTNESS) + rng.normal(0, DYE_HUE, 3))
    blue, green, red = gains.tolist()
    return replace(garment, dye=(blue, green, red))
