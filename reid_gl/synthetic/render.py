"""Render one image: background, passers-by, the person, occluders, and the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from reid_gl.synthetic.backgrounds import crop_background
from reid_gl.synthetic.body import Pose, View
from reid_gl.synthetic.cameras import HEIGHT, WIDTH, Camera
from reid_gl.synthetic.casting import draw_people
from reid_gl.synthetic.figure import figure_parts
from reid_gl.synthetic.occluders import draw_occluder
from reid_gl.synthetic.optics import expose
from reid_gl.synthetic.palette import ByteImage, FloatImage
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.raster import draw_part

OVERSAMPLING = 2
NUM_BYSTANDERS = 24
BYSTANDER_SHARE = 0.18
CROWD_SHARE = 0.04


@dataclass(frozen=True)
class Framing:
    """Position of the person in the detector's box.

    Attributes:
        height: stature as a share of the box height.
        left: middle of the body as a share of the box width.
        foot: ground as a share of the box height.
    """

    height: float = 0.9
    left: float = 0.5
    foot: float = 0.965


@lru_cache(maxsize=1)
def bystanders() -> tuple[Person, ...]:
    """Return the people who appear at the edge of other people's images; the same for every seed."""
    return tuple(draw_people(np.random.default_rng(17), NUM_BYSTANDERS))


def draw_framing(camera: Camera, rng: np.random.Generator) -> Framing:
    """Draw a box with the accuracy of this camera's detector."""
    jitter = rng.normal(0, camera.jitter, 3)
    stature = float(np.clip(0.9 + jitter[0], 0.76, 1.08))
    foot = 0.5 + stature * 0.515 + float(jitter[1])
    return Framing(height=stature, left=0.5 + 2 * float(jitter[2]), foot=foot)


def draw_figure(canvas: FloatImage, person: Person, pose: Pose, framing: Framing, camera: Camera) -> None:
    """Draw a person with a shadow onto the canvas, in place."""
    height, width = canvas.shape[:2]
    view = View(
        pose.yaw, camera.pitch, framing.height * height / 1.01, framing.left * width, framing.foot * height
    )
    draw_shadow(canvas, view, camera)
    for part in figure_parts(person, pose, view):
        draw_part(canvas, part, camera.light)


def draw_shadow(canvas: FloatImage, view: View, camera: Camera) -> None:
    """Draw a soft dark patch on the ground, away from the light, in place."""
    height, width = canvas.shape[:2]
    top = max(0, int(view.foot_y - 0.1 * view.scale))
    if top >= height:
        return
    mask: ByteImage = np.zeros((height - top, width), np.uint8)
    centre = (round(view.foot_x - 0.08 * view.scale * math.sin(camera.light)), round(view.foot_y) - top)
    cv2.ellipse(mask, centre, (round(0.17 * view.scale), round(0.04 * view.scale)), 0, 0, 360, 110, -1)
    canvas[top:] *= 1 - cv2.blur(mask, (13, 9)).astype(np.float32)[..., None] / 255


def _draw_bystander(canvas: FloatImage, camera: Camera, rng: np.random.Generator, *, in_front: bool) -> None:
    """Draw another person at the edge of the box, farther away or nearer than the main person."""
    people = bystanders()
    person = people[int(rng.integers(len(people)))]
    side = float(rng.choice(np.array([-1.0, 1.0])))
    offset, stature = (0.52, 1.0) if in_front else (0.42, 0.75)
    framing = Framing(
        height=stature * float(rng.uniform(0.85, 1.1)),
        left=0.5 + side * offset * float(rng.uniform(0.9, 1.3)),
        foot=float(rng.uniform(0.98, 1.08) if in_front else rng.uniform(0.78, 0.9)),
    )
    pose = Pose(float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0, 2 * math.pi)), 0.7)
    draw_figure(canvas, person, pose, framing, camera)


def render_person(
    person: Person | None,
    camera: Camera,
    rng: np.random.Generator,
    *,
    pose: Pose,
    framing: Framing | None = None,
) -> ByteImage:
    """Render one image of one person.

    Args:
        person: the person; None for a false detection that shows only the background.
        camera: the camera.
        rng: draws everything that changes from image to image.
        pose: direction and phase of walking.
        framing: the detector's box; None draws one with the accuracy of this camera's detector.

    Returns:
        (HEIGHT, WIDTH, 3) uint8 BGR.
    """
    canvas = crop_background(
        camera.scene, OVERSAMPLING * HEIGHT, OVERSAMPLING * WIDTH, rng, scenery=camera.scenery
    )
    if framing is None:
        framing = draw_framing(camera, rng)
    if rng.random() < BYSTANDER_SHARE:
        _draw_bystander(canvas, camera, rng, in_front=False)
    if person is not None:
        draw_figure(canvas, person, pose, framing, camera)
    if rng.random() < camera.occlusion:
        draw_occluder(canvas, rng)
    elif rng.random() < CROWD_SHARE:
        _draw_bystander(canvas, camera, rng, in_front=True)
    return expose(canvas, camera, rng)
