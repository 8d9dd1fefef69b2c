"""Preprocessing of images for the network; its settings are stored in every checkpoint as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reid_gl.data.loading.images import MAX_PIXELS, Image8, UnreadableImageError

KERNELS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
"""OpenCV's interpolation modes."""
ANTIALIASED = {
    "antialiased_linear": Image.Resampling.BILINEAR,
    "antialiased_cubic": Image.Resampling.BICUBIC,
}
"""PIL's interpolation modes, which smooth before shrinking, as torchvision's transforms of PIL images do."""
CHANNEL_ORDERS = ("rgb", "bgr")


@dataclass(frozen=True)
class Preprocessing:
    """Resize, then scale to [0, 1], then subtract the mean and divide by the standard deviation.

    Attributes:
        height: height of the network's input in pixels.
        width: width of the network's input in pixels.
        kernel: interpolation: OpenCV's "linear" or "cubic", which do not smooth before shrinking, OpenCV's
            "area", or PIL's "antialiased_linear" and "antialiased_cubic", which do.
        mean: mean per channel in RGB order, whatever channel_order is.
        std: standard deviation per channel in RGB order, whatever channel_order is.
        shorter_side: 0 resizes the whole image to height x width, ignoring its aspect ratio. Otherwise the
            image is resized with its aspect ratio until its shorter side has this many pixels, and the
            centre is cropped.
        channel_order: order of the network's input channels, "rgb" or "bgr".
    """

    height: int = 256
    width: int = 128
    kernel: str = "linear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    shorter_side: int = 0
    channel_order: str = "rgb"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"the input size must be positive, got {self.height} x {self.width}")
        if self.kernel not in (known := (*KERNELS, *ANTIALIASED)):
            raise ValueError(f"unknown kernel {self.kernel!r}: expected one of {', '.join(known)}")
        if self.channel_order not in CHANNEL_ORDERS:
            raise ValueError(
                f"channel_order, of the network's input, must be rgb or bgr, got {self.channel_order!r}"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"mean and std need three numbers, std positive, got {self.mean} and {self.std}")
        if self.shorter_side and self.shorter_side < max(self.height, self.width):
            raise ValueError(
                f"a centre crop of {self.height} x {self.width} does not fit into an image with a shorter "
                f"side of {self.shorter_side}: raise shorter_side, or set it to 0 to resize whole images"
            )

    def resize(self, image: Image8, *, name: str = "image") -> Image8:
        """Resize an image (H, W, 3) uint8 to (height, width, 3) uint8; `name` is used in error messages."""
        if not self.shorter_side:
            return self.squeeze(image)
        scaled = scale_shorter_side(image, self.shorter_side, kernel=self.kernel, name=name)
        top = round((scaled.shape[0] - self.height) / 2)
        left = round((scaled.shape[1] - self.width) / 2)
        return scaled[top : top + self.height, left : left + self.width]

    def squeeze(self, image: Image8) -> Image8:
        """Resize a whole image (H, W, 3) uint8 to (height, width, 3) uint8, ignoring its aspect ratio."""
        return _resized(image, self.height, self.width, self.kernel)

    def normalize(self, images: Tensor) -> Tensor:
        """Normalise images (N, 3, height, width) uint8 RGB to float32 in the network's channel order."""
        mean, std = (torch.tensor(values, device=images.device) for values in (self.mean, self.std))
        width = images.shape[3]
        if images.is_contiguous(memory_format=torch.channels_last):
            # repeated over a row of pixels: on the CPU, broadcasting vectors of three takes 4 times as long
            mean, std = (values.repeat(width).view(width, 3).t()[:, None] for values in (mean, std))
        else:
            mean, std = mean[:, None, None], std[:, None, None]
        normalized = images.to(torch.float32, copy=True).sub_(255.0 * mean).div_(255.0 * std)
        return normalized.flip(1) if self.channel_order == "bgr" else normalized

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, as stored in checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Invert to_dict; keys that older checkpoints lack get their defaults."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


def scale_shorter_side(image: Image8, side: int, *, kernel: str, name: str = "image") -> Image8:
    """Resize an image to a shorter side of `side` pixels, keeping its aspect ratio.

    Args:
        image: (H, W, 3).
        side: new length of the shorter side in pixels; the longer side is rounded down.
        kernel: interpolation, see Preprocessing.
        name: name of the image in error messages.

    Returns:
        (side, W', 3) or (H', side, 3) uint8; the image itself if it already has this size.

    Raises:
        UnreadableImageError: the image is so narrow that it would grow beyond MAX_PIXELS.
    """
    height, width = image.shape[:2]
    longer = int(side * max(height, width) / min(height, width))
    if side * longer > MAX_PIXELS:
        raise UnreadableImageError(
            f"image {name} of {width} x {height} pixels is too narrow for a shorter side of {side} pixels: "
            "remove it, or set shorter_side to 0"
        )
    return _resized(image, *((longer, side) if width <= height else (side, longer)), kernel)


def _resized(image: Image8, height: int, width: int, kernel: str) -> Image8:
    if image.shape[:2] == (height, width):
        return image
    if kernel in ANTIALIASED:
        # the alpha channel is left out, because PIL would weight colours by it and nothing here uses it
        visible = image[..., 0] if image.shape[2:] == (1,) else image[..., :3] if image.ndim == 3 else image
        smooth = Image.fromarray(np.ascontiguousarray(visible)).resize((width, height), ANTIALIASED[kernel])
        return np.asarray(smooth, dtype=np.uint8)
    return np.asarray(cv2.resize(image, (width, height), interpolation=KERNELS[kernel]), dtype=np.uint8)


def check_colors(mean: Sequence[float], std: Sequence[float]) -> None:
    """Raise ValueError unless the numbers can be the mean and standard deviation of colours in [0, 1]."""
    if not all(0 <= number <= 1 for number in mean) or not all(0 < number <= 1 for number in std):
        raise ValueError(
            f"mean {tuple(mean)} and standard deviation {tuple(std)} do not fit colours in [0, 1]: divide "
            "values for colours in [0, 255] by 255"
        )
