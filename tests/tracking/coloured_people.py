"""Coloured rectangles instead of people, and a network that describes colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

RED, BLUE, GREEN = (30, 30, 220), (220, 40, 30), (40, 200, 40)  # BGR
FRAME_SIZE = (120, 240)


class ColourRuntime:
    """Mean colour of four stripes and its complement, so that black is not zero: D = 24."""

    preprocessing = Preprocessing(16, 8)
    embedding_dim = 24
    device = "cpu"

    def __call__(self, images: Image8) -> np.ndarray:
        stripes = images.reshape(len(images), 4, -1, 3).mean(axis=2).reshape(len(images), 12) / 255
        return np.concatenate([stripes, 1 - stripes], axis=1).astype(np.float32)


class ConstantRuntime(ColourRuntime):
    """Everybody looks the same."""

    def __call__(self, images: Image8) -> np.ndarray:
        return np.ones((len(images), 24), np.float32)


class ZeroRuntime(ColourRuntime):
    """A network whose last ReLU has died."""

    def __call__(self, images: Image8) -> np.ndarray:
        return np.zeros((len(images), 24), np.float32)


def make_extractor(runtime: ColourRuntime | None = None) -> FeatureExtractor:
    return FeatureExtractor(runtime or ColourRuntime(), color_order="bgr", batch_size=3)


def noise_frame(seed: int = 0, *, channels: int = 3) -> Image8:
    shape = FRAME_SIZE if channels == 1 else (*FRAME_SIZE, channels)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


class Person(NamedTuple):
    """One rectangle of one frame: corners x1, y1, x2, y2."""

    name: str
    box: tuple[int, int, int, int]


class Scene(NamedTuple):
    """One frame and who is seen in it, from left to right."""

    frame: Image8
    people: list[Person]


def paint(people: Sequence[Person]) -> Image8:
    """A frame with some noise on grey, later people before earlier ones."""
    frame = np.random.default_rng(5).integers(90, 110, (*FRAME_SIZE, 3)).astype(np.uint8)
    for person in people:
        x1, y1, x2, y2 = person.box
        frame[y1:y2, x1:x2] = RED if person.name == "red" else BLUE
    return frame


def walk(red: Sequence[int], blue: Sequence[int], *, hidden: range = range(0)) -> list[Scene]:
    """Frames of two people by their left edges; nobody is detected in the hidden ones."""
    scenes = []
    for number, (x_red, x_blue) in enumerate(zip(red, blue, strict=True)):
        people = [Person("red", (x_red, 30, x_red + 20, 80)), Person("blue", (x_blue, 32, x_blue + 20, 82))]
        seen = [] if number in hidden else sorted(people, key=lambda person: person.box)
        scenes.append(Scene(paint(people), seen))
    return scenes
