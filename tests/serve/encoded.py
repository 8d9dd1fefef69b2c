"""Images as requests have them: files in base64."""

from __future__ import annotations

import base64

import cv2

from reid_gl.data.loading.images import Image8
from tests.tiny_checkpoint import coloured_crops


def as_text(image: Image8, suffix: str = ".png") -> str:
    """An image (H, W, 3) RGB."""
    return base64.b64encode(cv2.imencode(suffix, image[..., ::-1])[1].tobytes()).decode()


def person(seed: int = 0) -> str:
    """An image of one person."""
    return as_text(coloured_crops(1, seed=seed)[0])
