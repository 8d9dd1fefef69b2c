"""Background scenes of the six cameras, each drawn once and then cropped at random."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from reid_gl.synthetic.palette import ByteImage, FloatImage

SCENE_HEIGHT = 400
SCENE_WIDTH = 1200
GROUND = 250
"""Row of a scene where the ground begins."""
FADING = 0.5
"""How far a scene is faded towards grey, in [0, 1]: clothes are colourful, backgrounds are not."""


def _mottle(rng: np.random.Generator, height: int, width: int, cell: int, strength: float) -> FloatImage:
    """Gain (height, width, 1) around 1, with random spots of about `cell` pixels."""
    coarse = rng.normal(0, 1, (max(2, height // cell), max(2, width // cell))).astype(np.float32)
    gain: FloatImage = (
        1 + strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    )
    return gain


def _two_halves(above: tuple[int, int, int], below: tuple[int, int, int]) -> ByteImage:
    """A scene with a wall above and a floor below, each in one colour."""
    scene = np.empty((SCENE_HEIGHT, SCENE_WIDTH, 3), np.uint8)
    scene[:GROUND], scene[GROUND:] = above, below
    return scene


def _floor_lines(scene: ByteImage, colour: tuple[int, int, int], spacing: int) -> None:
    """Draw the joints of a paved floor, converging towards the horizon."""
    for row in (GROUND + 12, GROUND + 34, GROUND + 66, GROUND + 108):
        cv2.line(scene, (0, row), (SCENE_WIDTH, row), colour, 2, cv2.LINE_AA)
    for column in range(-SCENE_WIDTH, 2 * SCENE_WIDTH, spacing):
        end = SCENE_WIDTH // 2 + (column - SCENE_WIDTH // 2) * 2
        cv2.line(scene, (column, GROUND), (end, SCENE_HEIGHT), colour, 2, cv2.LINE_AA)


def _pavement(rng: np.random.Generator) -> ByteImage:
    """A sunlit square with a low wall and parked bicycles."""
    scene = _two_halves((168, 176, 182), (150, 160, 168))
    _floor_lines(scene, (112, 122, 130), 70)
    for column in range(0, SCENE_WIDTH, 150):
        shade = int(rng.integers(90, 200))
        cv2.rectangle(
            scene, (column, 40), (column + int(rng.integers(40, 120)), GROUND), (shade, shade, shade - 20), -1
        )
    for _ in range(14):
        centre = (int(rng.integers(SCENE_WIDTH)), GROUND + 10)
        cv2.circle(scene, centre, 26, (60, 60, 60), 3, cv2.LINE_AA)
    return scene


def _grass(rng: np.random.Generator) -> ByteImage:
    """A lawn with a path and trees."""
    scene = _two_halves((92, 128, 96), (70, 138, 104))
    scene[GROUND + 60 :] = (140, 158, 166)
    for _ in range(60):
        centre = (int(rng.integers(SCENE_WIDTH)), int(rng.integers(0, GROUND - 40)))
        colour = tuple(int(v) for v in np.array([48, 92, 64]) + rng.integers(-20, 30, 3))
        cv2.circle(scene, centre, int(rng.integers(20, 60)), colour, -1, cv2.LINE_AA)
    for column in rng.integers(0, SCENE_WIDTH, 12):
        cv2.rectangle(scene, (int(column), 60), (int(column) + 18, GROUND + 16), (52, 66, 84), -1)
    return scene


def _tiles(rng: np.random.Generator) -> ByteImage:
    """A tiled wall in an underpass."""
    scene = _two_halves((176, 172, 158), (104, 106, 108))
    for row in range(0, GROUND, 26):
        cv2.line(scene, (0, row), (SCENE_WIDTH, row), (140, 138, 128), 2)
    for column in range(0, SCENE_WIDTH, 38):
        cv2.line(scene, (column, 0), (column, GROUND), (140, 138, 128), 2)
    for column in rng.integers(0, SCENE_WIDTH, 9):
        colour = tuple(int(v) for v in rng.integers(40, 220, 3))
        cv2.rectangle(scene, (int(column), 50), (int(column) + 70, 180), colour, -1)
    cv2.rectangle(scene, (0, GROUND - 22), (SCENE_WIDTH, GROUND), (70, 84, 110), -1)
    return scene


def _shops(rng: np.random.Generator) -> ByteImage:
    """Shop windows with goods and lights."""
    scene = _two_halves((70, 74, 84), (128, 132, 138))
    for column in range(10, SCENE_WIDTH, 170):
        glass = tuple(int(v) for v in rng.integers(50, 130, 3))
        cv2.rectangle(scene, (column, 50), (column + 140, GROUND - 14), glass, -1)
        for _ in range(9):
            corner = np.array([column + rng.integers(5, 110), rng.integers(60, GROUND - 50)])
            size = rng.integers(10, 36, 2)
            colour = tuple(int(v) for v in rng.integers(40, 240, 3))
            cv2.rectangle(scene, corner.tolist(), (corner + size).tolist(), colour, -1)
    _floor_lines(scene, (104, 108, 112), 110)
    return scene


def _road(rng: np.random.Generator) -> ByteImage:
    """Asphalt with lane markings and parked cars."""
    scene = _two_halves((150, 152, 150), (98, 98, 100))
    for column in range(0, SCENE_WIDTH, 200):
        colour = tuple(
            int(v)
            for v in rng.choice(np.array([[40, 40, 44], [200, 200, 204], [60, 50, 140], [120, 90, 60]]))
        )
        cv2.rectangle(scene, (column, 170), (column + 160, GROUND + 6), colour, -1)
        cv2.rectangle(scene, (column + 30, 130), (column + 130, 172), tuple(v // 2 for v in colour), -1)
        for wheel in (column + 36, column + 126):
            cv2.circle(scene, (wheel, GROUND + 6), 20, (30, 30, 30), -1, cv2.LINE_AA)
    for column in range(0, SCENE_WIDTH, 120):
        cv2.line(scene, (column, GROUND + 70), (column + 60, GROUND + 70), (214, 216, 216), 8, cv2.LINE_AA)
    return scene


def _corridor(rng: np.random.Generator) -> ByteImage:
    """A corridor with doors, posters and a shiny floor."""
    scene = _two_halves((166, 186, 190), (120, 138, 142))
    for column in range(30, SCENE_WIDTH, 190):
        cv2.rectangle(scene, (column, 50), (column + 84, GROUND), (62, 92, 122), -1)
        cv2.rectangle(scene, (column, 50), (column + 84, GROUND), (40, 60, 80), 4)
        colour = tuple(int(v) for v in rng.integers(60, 230, 3))
        cv2.rectangle(scene, (column + 110, 80), (column + 160, 150), colour, -1)
    cv2.rectangle(scene, (0, GROUND - 12), (SCENE_WIDTH, GROUND), (80, 90, 96), -1)
    for column in range(60, SCENE_WIDTH, 240):
        cv2.ellipse(scene, (column, GROUND + 60), (30, 70), 0, 0, 360, (176, 188, 190), -1, cv2.LINE_AA)
    return scene


SCENES: dict[str, Callable[[np.random.Generator], ByteImage]] = {
    "pavement": _pavement,
    "grass": _grass,
    "tiles": _tiles,
    "shops": _shops,
    "road": _road,
    "corridor": _corridor,
}


@lru_cache(maxsize=8)
def scene_image(name: str, scenery: int = 0) -> ByteImage:
    """The whole scene, (SCENE_HEIGHT, SCENE_WIDTH, 3) uint8; it is the same for every seed.

    Args:
        name: one of SCENES.
        scenery: chooses the details; above 0 also the colours.
    """
    variant = (scenery,) if scenery else ()
    rng = np.random.default_rng((3, sorted(SCENES).index(name), *variant))
    scene = SCENES[name](rng)
    if scenery:
        scene = np.clip(scene[..., rng.permutation(3)] * np.exp(rng.normal(0, 0.25, 3)), 0, 255)
    gain = _mottle(rng, SCENE_HEIGHT, SCENE_WIDTH, 60, 0.10) * _mottle(
        rng, SCENE_HEIGHT, SCENE_WIDTH, 6, 0.05
    )
    coloured = scene * gain
    faded = coloured + FADING * (coloured.mean(axis=2, keepdims=True) - coloured)
    blurred = cv2.GaussianBlur(np.clip(faded, 0, 255).astype(np.uint8), (0, 0), 1.5)
    return np.asarray(blurred, dtype=np.uint8)


def crop_background(
    name: str, height: int, width: int, rng: np.random.Generator, *, scenery: int = 0
) -> FloatImage:
    """Crop a random background for a person.

    Args:
        name: name of the scene.
        height: number of rows.
        width: number of columns.
        rng: draws position, zoom and light.
        scenery: see scene_image.

    Returns:
        (height, width, 3) float32 in [0, 255].
    """
    scene = scene_image(name, scenery)
    zoom = float(rng.uniform(0.85, 1.45))
    rows, columns = round(height * zoom), round(width * zoom)
    top = int(np.clip(GROUND + 0.33 * rows - rows * rng.uniform(0.85, 1.05), 0, SCENE_HEIGHT - rows))
    left = int(rng.integers(0, SCENE_WIDTH - columns))
    crop = scene[top : top + rows, left : left + columns]
    light = np.exp(rng.normal(0, 0.22) + rng.normal(0, 0.06, 3)).astype(np.float32)
    background: FloatImage = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR) * light
    return background
