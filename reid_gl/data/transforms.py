"""How a picture becomes the network's input; stored in every checkpoint as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from reid_gl.data.images import Image8

KERNELS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}


@dataclass(frozen=True)
class Preprocessing:
    """Resize, then scale to [0, 1], then subtract the mean and divide by the deviation.

    Attributes:
        height: rows of the network's input.
        width: columns of the network's input.
        kernel: OpenCV's interpolation, "linear", "cubic" or "area"; none of the first two smooths
            before it shrinks.
        mean: per channel, RGB.
        std: per channel, RGB.
    """

    height: int = 256
    width: int = 128
    kernel: str = "linear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"the input size must be positive, got {self.height} x {self.width}")
        if self.kernel not in KERNELS:
            raise ValueError(f"unknown kernel {self.kernel!r}: expected one of {', '.join(KERNELS)}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"mean and std need three numbers, std positive, got {self.mean} and {self.std}")

    def resize(self, image: Image8) -> Image8:
        """Image (H, W, 3) uint8 to (height, width, 3) uint8."""
        if image.shape[:2] == (self.height, self.width):
            return image
        resized = cv2.resize(image, (self.width, self.height), interpolation=KERNELS[self.kernel])
        return np.asarray(resized, dtype=np.uint8)

    def normalize(self, images: Tensor) -> Tensor:
        """Images (N, 3, height, width) uint8 RGB to float32 as the network expects them."""
        mean = torch.tensor(self.mean, device=images.device)[:, None, None]
        std = torch.tensor(self.std, device=images.device)[:, None, None]
        return (images.float() - 255.0 * mean) / (255.0 * std)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as checkpoints keep them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The inverse of to_dict."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training picture that keep the person recognisable.

    Attributes:
        flip: chance of mirroring left and right.
        pad: black pixels added on every side before a crop of the original size is cut out at random.
        erase: chance of erasing a rectangle.
        erase_area: smallest and largest share of the picture that is erased.
        erase_aspect: smallest height / width of the rectangle, in (0, 1]; the largest is its inverse.
        color_gain: standard deviation of the logarithm of a random gain, one for each channel and one
            for all: another illumination and white balance; 0 for none.
        fill: RGB value in [0, 255] of erased pixels, by default the ImageNet mean.

    Source:
        Zhong et al., "Random Erasing Data Augmentation", AAAI 2020; settings of Luo et al., CVPR
        Workshops 2019.
    """

    flip: float = 0.5
    pad: int = 10
    erase: float = 0.5
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_aspect: float = 0.3
    color_gain: float = 0.0
    fill: tuple[int, int, int] = (124, 116, 104)

    def __post_init__(self) -> None:
        if not (0 <= self.flip <= 1 and 0 <= self.erase <= 1 and min(self.pad, self.color_gain) >= 0):
            raise ValueError(
                "flip and erase are chances in [0, 1], pad and color_gain are not negative, "
                f"got {self.flip}, {self.erase}, {self.pad} and {self.color_gain}"
            )
        low, high = self.erase_area
        if not (0 < low <= high <= 1 and 0 < self.erase_aspect <= 1):
            raise ValueError(
                "erased areas must rise inside (0, 1] and the aspect lie in (0, 1], "
                f"got {self.erase_area} and {self.erase_aspect}"
            )

    def __call__(self, image: Image8, rng: np.random.Generator) -> Image8:
        """A changed copy of image (H, W, 3) uint8; everything random comes from rng."""
        if rng.random() < self.flip:
            image = image[:, ::-1]
        image = self._pad_and_crop(image, rng)
        if self.color_gain:
            image = self._change_light(image, rng)
        if rng.random() < self.erase:
            self._erase(image, rng)
        return image

    def _pad_and_crop(self, image: Image8, rng: np.random.Generator) -> Image8:
        height, width = image.shape[:2]
        down, right = (int(shift) for shift in rng.integers(-self.pad, self.pad + 1, size=2))
        moved = np.zeros_like(image)
        rows, columns = max(0, height - abs(down)), max(0, width - abs(right))  # what stays in sight
        top, left = max(0, -down), max(0, -right)
        seen = image[top : top + rows, left : left + columns]
        moved[max(0, down) : max(0, down) + rows, max(0, right) : max(0, right) + columns] = seen
        return moved

    def _change_light(self, image: Image8, rng: np.random.Generator) -> Image8:
        gains = np.exp(rng.normal(0.0, self.color_gain, size=3) + rng.normal(0.0, self.color_gain))
        table = np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)  # (256, 3)
        return np.asarray(cv2.LUT(image, table[:, None, :]), dtype=np.uint8)

    def _erase(self, image: Image8, rng: np.random.Generator) -> None:
        """Fill one rectangle in place; after ten that do not fit, none."""
        height, width = image.shape[:2]
        log_aspect = np.log(self.erase_aspect)
        for _ in range(10):
            area = rng.uniform(*self.erase_area) * height * width
            aspect = np.exp(rng.uniform(log_aspect, -log_aspect))
            rows, columns = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
            if rows < height and columns < width:
                top = int(rng.integers(height - rows + 1))
                left = int(rng.integers(width - columns + 1))
                image[top : top + rows, left : left + columns] = self.fill
                return
