"""Images of random blobs, and copies of them as the internet makes them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image8 = NDArray[np.uint8]


def blobs(seed: int, size: tuple[int, int] = (128, 64)) -> Image8:
    """Smooth noise with a little grain, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 6, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC).astype(float)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def reencode(image: Image8) -> Image8:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


def enlarge(image: Image8) -> Image8:
    return cv2.resize(image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LINEAR)


def shrink(image: Image8) -> Image8:
    return cv2.resize(image, None, fx=0.5, fy=0.75, interpolation=cv2.INTER_AREA)


def brighten(image: Image8) -> Image8:
    return np.clip(image.astype(int) + 25, 0, 255).astype(np.uint8)


def write(path: Path, image: Image8) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return str(path)


def read(path: str) -> Image8:
    return cv2.imread(path, cv2.IMREAD_COLOR)
