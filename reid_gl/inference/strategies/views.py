"""Average a network's outputs over several views of an image: mirror images and crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.records import ReidOutput


def enlarged(preprocessing: Preprocessing) -> Preprocessing:
    """Return the preprocessing with 8/7 of the height and width (256 for crops of 224, as is customary)."""
    height, width = (round(side * 8 / 7) for side in (preprocessing.height, preprocessing.width))
    shorter_side = preprocessing.shorter_side and max(preprocessing.shorter_side, height, width)
    return replace(preprocessing, height=height, width=width, shorter_side=shorter_side)


def five_crops(images: Tensor, *, height: int, width: int) -> list[Tensor]:
    """Cut corners and centre (N, 3, height, width) out of images (N, 3, H, W), H >= height, W >= width."""
    down, right = images.shape[2] - height, images.shape[3] - width
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [images[:, :, top : top + height, left : left + width] for top, left in corners]


class AveragedViews(nn.Module):
    """Average a network's outputs over views of each image.

    The non-linear steps (normalisation, beta) must be applied after the mean.

    Args:
        net: maps images to a tensor or a ReidOutput.
        preprocessing: preprocessing of the network; with five crops, images must be prepared with `enlarged`.
        num_crops: 1 or 5.
        flip: also use the mirror images.
    """

    def __init__(
        self, net: nn.Module, preprocessing: Preprocessing, *, num_crops: int = 1, flip: bool = False
    ) -> None:
        super().__init__()
        self.net, self.num_crops, self.flip = net, num_crops, flip
        self.height, self.width = preprocessing.height, preprocessing.width

    def forward(self, images: Tensor) -> Tensor | ReidOutput:
        """Map normalised images (N, 3, H, W) to the mean output, of the same type as for one view."""
        sides = [images, images.flip(3)] if self.flip else [images]
        views = [view for side in sides for view in self._cut(side)]
        return _mean([self.net(view.contiguous(memory_format=torch.channels_last)) for view in views])

    def _cut(self, images: Tensor) -> list[Tensor]:
        if self.num_crops == 1:
            return [images]
        return five_crops(images, height=self.height, width=self.width)


class BothSides(nn.Module):
    """Stack a module's outputs for images and for their mirror images."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to (N, 2, ...)."""
        return torch.stack([self.net(images), self.net(images.flip(3))], dim=1)


def _mean(outputs: Sequence[Tensor | ReidOutput]) -> Tensor | ReidOutput:
    first = outputs[0]
    if len(outputs) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.stack(list(outputs)).mean(dim=0)  # type: ignore[arg-type]
    return ReidOutput(*(torch.stack(field).mean(dim=0) for field in zip(*outputs, strict=True)))
