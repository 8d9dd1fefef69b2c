"""Random changes of one image, step by step."""

from __future__ import annotations

import math

import numpy as np

from reid_gl.data.loading.augmentation import Augmentation


def slow_change(
    augmentation: Augmentation, image: np.ndarray, key: tuple[int, ...], place: int
) -> np.ndarray:
    """What becomes of an image (H, W, 3) uint8 at a place of the batch with this key."""
    settings = augmentation
    height, width = image.shape[:2]
    per_image = 84 if settings.crops else 44
    numbers = iter(np.random.default_rng((*key, 0)).random((place + 1, per_image))[place].tolist())
    if next(numbers) < settings.flip:
        image = image[:, ::-1]
    pad = settings.pad
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    top, left = (2 * pad - math.floor(next(numbers) * (2 * pad + 1)) for _ in range(2))
    image = padded[top : top + height, left : left + width].copy()
    if settings.color_gain:
        normal = np.random.default_rng((*key, 1)).normal(0, settings.color_gain, (place + 1, 4))[place]
        for channel in range(3):
            gain = np.exp(normal[channel] + normal[3])
            image[..., channel] = np.minimum(image[..., channel] * gain, 255).astype(np.uint8)
    if next(numbers) >= settings.erase:
        return image
    for _ in range(10):
        share, shape, down, right = (next(numbers) for _ in range(4))
        low, high = settings.erase_area
        area = (low + (high - low) * share) * height * width
        aspect = np.exp(math.log(settings.erase_aspect) * (1 - 2 * shape))
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if rows < height and columns < width:
            top, left = math.floor(down * (height - rows + 1)), math.floor(right * (width - columns + 1))
            image[top : top + rows, left : left + columns] = settings.fill
            return image
    return image
