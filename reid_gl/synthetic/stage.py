"""The scene of a sequence's camera: ground plane, obstacles to walk behind, and light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from reid_gl.synthetic.backgrounds import GROUND, SCENE_HEIGHT, SCENE_WIDTH, scene_image
from reid_gl.synthetic.cameras import Camera
from reid_gl.synthetic.palette import Colour, FloatImage

HORIZON = 0.14
"""Row of the horizon, as a share of the image height."""
WALL = 0.5
"""Row where the ground begins, as a share of the image height."""
FOCAL = 1.25
"""Focal length, as a share of the image height."""
CAMERA_HEIGHT = 1.62
"""Height of the lens above the ground, in statures."""
NEAREST, FARTHEST = 2.55, 4.1
"""Distances at which people walk, in statures."""
MAX_ASPECT = 4.0
SHADE = 0.25
"""Standard deviation of the log of the light over the scene."""
PAINTS: tuple[Colour, ...] = ((70, 82, 88), (96, 110, 120), (64, 84, 70), (84, 78, 104))


@dataclass(frozen=True)
class Obstacle:
    """An upright object that people walk in front of or behind.

    Attributes:
        across: position of its middle, in statures to the right of the middle of the image.
        depth: distance from the camera, in statures.
        width: in statures.
        height: in statures.
        paint: colour.
    """

    across: float
    depth: float
    width: float
    height: float
    paint: Colour


@dataclass(frozen=True)
class Stage:
    """What stays the same in all frames of one camera.

    Attributes:
        camera: the camera, with its light and sensor.
        width: width of the frames, pixels.
        height: height of the frames, pixels.
        obstacles: farthest first.
        background: (height, width, 3) float32 in [0, 255], without the obstacles.
        light: (height, width, 1) float32 gain; it darkens parts of the scene.
    """

    camera: Camera
    width: int
    height: int
    obstacles: tuple[Obstacle, ...]
    background: FloatImage
    light: FloatImage

    def scale(self, depth: float) -> float:
        """Pixels per stature at a distance given in statures."""
        return FOCAL * self.height / depth

    def project(self, across: float, depth: float) -> tuple[float, float]:
        """Column and row, in pixels, of a point on the ground."""
        scale = self.scale(depth)
        return self.width / 2 + across * scale, HORIZON * self.height + CAMERA_HEIGHT * scale


def half_view(aspect: float, depth: float) -> float:
    """Half the visible width at a distance, both in statures; aspect is width / height."""
    return aspect * depth / (2 * FOCAL)


def build_stage(camera: Camera, width: int, height: int, rng: np.random.Generator) -> Stage:
    """Draw the position of the camera, the obstacles and the light."""
    obstacles = tuple(sorted(_draw_obstacles(width / height, rng), key=lambda thing: -thing.depth))
    return Stage(
        camera=camera,
        width=width,
        height=height,
        obstacles=obstacles,
        background=_crop_scene(camera.scene, width, height, rng),
        light=_draw_light(width, height, rng),
    )


def draw_obstacle(canvas: FloatImage, stage: Stage, obstacle: Obstacle) -> tuple[int, int, int, int]:
    """Draw an obstacle, in place; return its first column and row, and its end column and row (exclusive)."""
    scale = stage.scale(obstacle.depth)
    column, foot = stage.project(obstacle.across, obstacle.depth)
    left, right = column - obstacle.width * scale / 2, column + obstacle.width * scale / 2
    corners = np.clip([left, right], 0, stage.width).round().astype(int)
    rows = np.clip([foot - obstacle.height * scale, foot], 0, stage.height).round().astype(int)
    area = canvas[rows[0] : rows[1], corners[0] : corners[1]]
    shading = np.linspace(1.12, 0.78, area.shape[1], dtype=np.float32)[None, :, None]
    area[:] = shading * np.array(obstacle.paint, dtype=np.float32)
    area[: max(1, round(0.04 * scale))] *= 1.35
    area[round(0.55 * len(area)) : round(0.6 * len(area))] *= 0.7
    return int(corners[0]), int(rows[0]), int(corners[1]), int(rows[1])


def _draw_obstacles(aspect: float, rng: np.random.Generator) -> list[Obstacle]:
    """Draw a pillar on one side of the middle and a kiosk on the other."""
    side = float(rng.choice(np.array([-1.0, 1.0])))
    paints = [PAINTS[int(index)] for index in rng.permutation(len(PAINTS))[:2]]
    pillar = Obstacle(
        across=-side * half_view(aspect, 2.9) * float(rng.uniform(0.25, 0.5)),
        depth=2.9,
        width=float(rng.uniform(0.2, 0.3)),
        height=1.75,
        paint=paints[0],
    )
    kiosk = Obstacle(
        across=side * half_view(aspect, 3.3) * float(rng.uniform(0.1, 0.4)),
        depth=3.3,
        width=float(rng.uniform(0.6, 0.85)),
        height=float(rng.uniform(0.85, 1.25)),
        paint=paints[1],
    )
    return [pillar, kiosk]


def _crop_scene(name: str, width: int, height: int, rng: np.random.Generator) -> FloatImage:
    """Crop the background so that its ground begins where the ground plane does."""
    scene = scene_image(name)
    rows = (SCENE_HEIGHT - GROUND) / (1 - WALL)
    columns = math.floor(rows * width / height)
    left = int(rng.integers(0, SCENE_WIDTH - columns + 1))
    crop = scene[SCENE_HEIGHT - round(rows) :, left : left + columns]
    resized = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32)


def _draw_light(width: int, height: int, rng: np.random.Generator) -> FloatImage:
    """Draw a gain (height, width, 1) around 1 that varies smoothly over the image."""
    coarse = rng.normal(0, SHADE, (3, 6)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.exp(field)[..., None], dtype=np.float32)
