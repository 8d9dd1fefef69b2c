"""Exposure of an image: sensor, light, blur, noise and tone curve of a camera."""

from __future__ import annotations

import math

import cv2
import numpy as np

from reid_gl.synthetic.cameras import HEIGHT, WIDTH, Camera
from reid_gl.synthetic.palette import ByteImage, FloatImage


def colour_matrix(camera: Camera, rng: np.random.Generator) -> FloatImage:
    """Draw a (3, 3) map from the scene's colours to the sensor's; it varies randomly, like the weather."""
    gains = np.asarray(camera.balance) * camera.exposure * math.exp(rng.normal(0, 0.1))
    gains = gains * np.exp(rng.normal(0, 0.03, 3))
    grey = np.array([0.114, 0.587, 0.299])
    saturation = camera.saturation * math.exp(rng.normal(0, 0.1))
    matrix = saturation * np.eye(3) + (1 - saturation) * np.ones((3, 1)) * grey
    return np.asarray(gains[:, None] * matrix, dtype=np.float32)


def tone_curve(camera: Camera, rng: np.random.Generator) -> ByteImage:
    """Draw a (256,) uint8 table that applies gamma and haze."""
    gamma = camera.gamma * math.exp(rng.normal(0, 0.08))
    haze = camera.haze * rng.uniform(0.3, 1.7)
    light = np.linspace(0, 1, 256)
    table: ByteImage = np.clip(255 * (haze * 0.8 + (1 - haze) * light**gamma), 0, 255).astype(np.uint8)
    return table


def _slope_of_light(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    """Draw a gain (height, width, 1) that darkens one side of the image."""
    slope = rng.normal(0, 0.12, 2)
    rows = np.linspace(-1, 1, height) * slope[0]
    columns = np.linspace(-1, 1, width) * slope[1]
    gain: FloatImage = (1 + rows[:, None] + columns)[..., None].astype(np.float32)
    return gain


def _blur(image: FloatImage, camera: Camera, scale: float, rng: np.random.Generator) -> FloatImage:
    """Apply defocus, and slight motion blur along the direction of walking."""
    sigma = camera.defocus * scale * rng.uniform(0.6, 1.5)
    across = sigma + abs(rng.normal(0, 0.35))
    blurred = cv2.GaussianBlur(image, (5, 5), sigmaX=max(across, 0.1), sigmaY=max(sigma, 0.1))
    return np.asarray(blurred, dtype=np.float32)


def expose(canvas: FloatImage, camera: Camera, rng: np.random.Generator) -> ByteImage:
    """Simulate how a camera captures the scene.

    Args:
        canvas: (H, W, 3) float32 scene in [0, 255], any size.
        camera: the camera.
        rng: draws weather and noise.

    Returns:
        (HEIGHT, WIDTH, 3) uint8 BGR.
    """
    scale = min(1.0, camera.resolution * float(rng.uniform(0.8, 1.2)))
    width, height = max(8, round(WIDTH * scale)), max(16, round(HEIGHT * scale))
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.transform(small, colour_matrix(camera, rng)) * _slope_of_light(rng, height, width)
    small = _blur(small, camera, scale, rng)
    small += camera.noise * rng.standard_normal((height, width, 3), dtype=np.float32)
    sensed = cv2.resize(
        np.clip(small, 0, 255).astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(cv2.LUT(sensed, tone_curve(camera, rng)), dtype=np.uint8)
