"""Random augmentation of training images: settings, and the random draws for a whole batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.random_changes import Changes

NUM_ATTEMPTS = 10
"""Number of rectangles drawn per image; the first that fits into the image is used."""

CROP_ASPECT = (3 / 4, 4 / 3)
"""Smallest and largest width / height of a random crop."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Augmentation:
    """Settings of the random augmentation of training images.

    Attributes:
        flip: probability of mirroring left and right.
        pad: black pixels added on every side before a random crop of the original size is taken.
        erase: probability of erasing a rectangle.
        erase_area: smallest and largest erased area, as a fraction of the image's area.
        erase_aspect: smallest height / width of the erased rectangle, in (0, 1]; the largest is its inverse.
        color_gain: standard deviation of the logarithm of random gains, one per channel and one for all
            channels together, which imitate changes of illumination and white balance; 0 for none.
        fill: RGB value in [0, 255] of erased pixels, by default the ImageNet mean.
        crop_area: smallest and largest area of a random crop, as a fraction of the original image's area.
            The crop has a width / height in CROP_ASPECT and is resized to the input size, ignoring its
            aspect ratio. (0, 0) for no random crops. Random crops replace `pad`, which must then be 0.

    Source:
        Zhong et al., "Random Erasing Data Augmentation", AAAI 2020; settings of Luo et al., CVPR
        Workshops 2019. Crops: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 6.
    """

    flip: float = 0.5
    pad: int = 10
    erase: float = 0.5
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_aspect: float = 0.3
    color_gain: float = 0.0
    fill: tuple[int, int, int] = (124, 116, 104)
    crop_area: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not (0 <= self.flip <= 1 and 0 <= self.erase <= 1 and min(self.pad, self.color_gain) >= 0):
            raise ValueError(
                "flip and erase must be probabilities in [0, 1], pad and color_gain must not be negative, "
                f"got flip {self.flip}, erase {self.erase}, pad {self.pad} and color_gain {self.color_gain}"
            )
        low, high = self.erase_area
        if not (0 < low <= high <= 1 and 0 < self.erase_aspect <= 1):
            raise ValueError(
                "erase_area must be two ascending numbers in (0, 1] and erase_aspect must lie in (0, 1], "
                f"got {self.erase_area} and {self.erase_aspect}"
            )
        self._check_crops()

    def _check_crops(self) -> None:
        if len(self.crop_area) != 2 or (self.crops and not 0 < self.crop_area[0] <= self.crop_area[1] <= 1):
            raise ValueError(
                "crop_area must be the smallest and largest fraction of an image, ascending in (0, 1], or "
                f"(0, 0) for no random crops, got {self.crop_area}"
            )
        if self.crops and self.pad:
            raise ValueError(
                f"random crops replace padding: with crop_area {self.crop_area}, pad must be 0 "
                f"(INPUT.PAD 0), got {self.pad}"
            )

    @property
    def crops(self) -> bool:
        """Whether a random crop of the original image is used instead of the whole image."""
        return any(self.crop_area)

    def draw(self, key: tuple[int, ...], num_images: int, height: int, width: int) -> Changes:
        """Draw the random changes of a batch.

        The draws of image n depend only on the key and on n, not on the number of images.

        Args:
            key: seeds of the random generator.
            num_images: N.
            height: height of the network's input in pixels.
            width: width of the network's input in pixels.
        """
        rectangles = (1 + self.crops, NUM_ATTEMPTS, 4)  # first index: to erase, to crop
        uniform = np.random.default_rng((*key, 0)).random((num_images, 4 + math.prod(rectangles)))
        attempts = uniform[:, 4:].reshape(num_images, *rectangles)
        return Changes(
            flip=uniform[:, 0] < self.flip,
            shift=np.floor(uniform[:, 1:3] * (2 * self.pad + 1)).astype(np.int64) - self.pad,
            erased=self._rectangles(uniform[:, 3] < self.erase, attempts[:, 0], height, width),
            fill=self.fill,
            light=self._light(key, num_images) if self.color_gain else None,
            cropping=attempts[:, 1] if self.crops else None,
        )

    def _rectangles(
        self, chosen: NDArray[np.bool_], attempts: Floats, height: int, width: int
    ) -> NDArray[np.int64]:
        """Return (N, 4) top, bottom, left, right of the first attempt that fits; zeros where none fits."""
        low, high = self.erase_area
        area = (low + (high - low) * attempts[..., 0]) * height * width  # (N, attempts)
        aspect = np.exp(math.log(self.erase_aspect) * (1 - 2 * attempts[..., 1]))
        rows, columns = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
        fits: NDArray[np.bool_] = (rows < height) & (columns < width) & chosen[:, None]
        first = np.arange(len(chosen)), np.argmax(fits, axis=1)
        rows, columns = rows[first], columns[first]  # (N,)
        top = np.floor(attempts[first][:, 2] * (height - rows + 1))
        left = np.floor(attempts[first][:, 3] * (width - columns + 1))
        rectangles = np.stack([top, top + rows, left, left + columns], axis=1)
        return np.where(np.any(fits, axis=1, keepdims=True), rectangles, 0).astype(np.int64)

    def _light(self, key: tuple[int, ...], num_images: int) -> NDArray[np.uint8]:
        """Return lookup tables (N, 256, 3): the new value of each value of each channel."""
        normal = np.random.default_rng((*key, 1)).normal(0.0, self.color_gain, (num_images, 4))
        gains = np.exp(normal[:, :3] + normal[:, 3:])
        values = np.arange(256)[:, None] * gains[:, None]  # (N, 256, 3)
        return np.clip(values, 0, 255).astype(np.uint8)

    def crop(self, image: Image8, attempts: Floats) -> Image8:
        """Return a random crop of an image.

        The first attempt that fits into the image is used. If none of the NUM_ATTEMPTS fits, the crop is the
        largest central one with a width / height in CROP_ASPECT.

        Args:
            image: (H, W, 3).
            attempts: (attempts, 4) random numbers in [0, 1): area, aspect, top and left of each attempt; one
                row of `Changes.cropping`.

        Returns:
            A view of the image.
        """
        height, width = image.shape[:2]
        low, high = self.crop_area
        for one, two, down, right in attempts.tolist():
            area = height * width * (low + (high - low) * one)
            aspect = CROP_ASPECT[0] * (CROP_ASPECT[1] / CROP_ASPECT[0]) ** two
            rows, columns = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if 0 < rows <= height and 0 < columns <= width:
                top, left = int(down * (height - rows + 1)), int(right * (width - columns + 1))
                return image[top : top + rows, left : left + columns]
        rows = max(1, min(height, round(width / CROP_ASPECT[0])))
        columns = max(1, min(width, round(height * CROP_ASPECT[1])))
        top, left = (height - rows) // 2, (width - columns) // 2
        return image[top : top + rows, left : left + columns]
