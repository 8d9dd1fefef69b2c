"""Six low-quality cameras: their effect on light, colour, sharpness and the detector's box."""

from __future__ import annotations

import math
from dataclasses import dataclass

HEIGHT = 128
WIDTH = 64


@dataclass(frozen=True)
class Camera:
    """Properties of a camera that do not change from image to image.

    Attributes:
        scene: name of the background, see backgrounds.SCENES.
        pitch: downward tilt, radians.
        headings: directions in which people walk past, radians of yaw.
        light: direction of the light, radians to the right of the camera.
        exposure: gain of the sensor.
        balance: gains of blue, green and red.
        saturation: 0 is greyscale, 1 is full colour.
        gamma: exponent applied to the light; above 1 darkens.
        haze: share of the light that is fog or glare.
        resolution: resolution of the sensor relative to the saved image.
        defocus: standard deviation of the blur, in pixels of the saved image.
        noise: standard deviation of the sensor noise, on the scale [0, 255].
        jitter: standard deviation of the detector's box, relative to its size.
        occlusion: share of images with an object in front of the person.
        quality: lowest and highest JPEG quality.
        scenery: chooses the details and the colours of the background; 0 has the scene's own colours.
    """

    scene: str
    pitch: float
    headings: tuple[float, ...]
    light: float
    exposure: float
    balance: tuple[float, float, float]
    saturation: float
    gamma: float
    haze: float
    resolution: float
    defocus: float
    noise: float
    jitter: float
    occlusion: float
    quality: tuple[int, int]
    scenery: int = 0


FRONT, SIDE, BACK = 0.0, math.pi / 2, math.pi

CAMERAS: tuple[Camera, ...] = (
    Camera(
        "pavement",
        0.16,
        (FRONT, BACK),
        0.7,
        1.05,
        (0.96, 1.0, 1.04),
        1.0,
        0.95,
        0.02,
        0.9,
        0.45,
        4,
        0.02,
        0.06,
        (70, 92),
    ),
    Camera(
        "grass",
        0.10,
        (SIDE, -SIDE),
        -0.8,
        1.08,
        (0.9, 1.03, 1.0),
        1.1,
        1.05,
        0.0,
        0.85,
        0.5,
        4,
        0.025,
        0.10,
        (60, 88),
    ),
    Camera(
        "tiles",
        0.22,
        (FRONT + 0.6, BACK + 0.6),
        0.2,
        0.86,
        (1.13, 1.0, 0.9),
        0.9,
        1.08,
        0.03,
        0.7,
        0.55,
        6,
        0.03,
        0.08,
        (50, 80),
    ),
    Camera(
        "shops",
        0.14,
        (SIDE + 0.4, -SIDE + 0.4),
        1.1,
        0.96,
        (0.84, 0.97, 1.12),
        0.95,
        1.0,
        0.02,
        0.8,
        0.5,
        5,
        0.03,
        0.10,
        (55, 85),
    ),
    Camera(
        "road",
        0.26,
        (FRONT - 0.5, BACK - 0.5),
        -0.3,
        1.16,
        (1.05, 1.02, 0.97),
        0.85,
        0.9,
        0.07,
        0.65,
        0.6,
        5,
        0.035,
        0.10,
        (45, 75),
    ),
    Camera(
        "corridor",
        0.12,
        (FRONT, SIDE, BACK),
        0.0,
        0.78,
        (0.92, 1.06, 0.98),
        0.85,
        1.1,
        0.02,
        0.6,
        0.6,
        8,
        0.035,
        0.08,
        (40, 70),
    ),
)
