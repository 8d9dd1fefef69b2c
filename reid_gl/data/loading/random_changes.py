"""Apply drawn random changes, image by image on the CPU or to a whole batch on its device."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_gl.data.loading.images import Image8


@dataclass(frozen=True)
class Changes:
    """Random changes of N images, applied in the order of the attributes.

    `write` and `apply` give exactly the same pixels.

    Attributes:
        flip: (N,) bool, mirror left and right.
        shift: (N, 2) int64, pixels to move down and right; uncovered pixels become black.
        light: (N, 256, 3) uint8 lookup tables, the new value of each value of each channel; None for none.
        erased: (N, 4) int64, top, bottom, left and right of the rectangle to erase; bottom and right are
            exclusive.
        fill: RGB value in [0, 255] of erased pixels.
        cropping: (N, attempts, 4) random numbers in [0, 1) for `Augmentation.crop`, which is applied before
            all other changes, when an image is read; None for no crops.
    """

    flip: NDArray[np.bool_]
    shift: NDArray[np.int64]
    light: NDArray[np.uint8] | None
    erased: NDArray[np.int64]
    fill: tuple[int, int, int]
    cropping: NDArray[np.float64] | None = None

    def of_rows(self, rows: slice) -> Changes:
        """The changes of some of the images."""
        light = None if self.light is None else self.light[rows]
        cropping = None if self.cropping is None else self.cropping[rows]
        return Changes(self.flip[rows], self.shift[rows], light, self.erased[rows], self.fill, cropping)

    def write(self, place: int, image: Image8, out: Image8) -> None:
        """Apply the changes of one image.

        Args:
            place: index of the image in the batch.
            image: (H, W, 3) uint8, not changed.
            out: (H, W, 3) uint8, receives the result; must not share memory with the image.
        """
        height, width = image.shape[:2]
        if self.flip[place]:
            image = np.asarray(cv2.flip(image, 1), dtype=np.uint8)
        down, right = self.shift[place].tolist()
        # the rows and columns of the output that the shifted image still covers
        top, bottom = min(max(0, down), height), max(min(height, height + down), 0)
        left, end = min(max(0, right), width), max(min(width, width + right), 0)
        out[:top], out[bottom:], out[top:bottom, :left], out[top:bottom, end:] = 0, 0, 0, 0
        out[top:bottom, left:end] = image[top - down : bottom - down, left - right : end - right]
        if self.light is not None:
            out[:] = cv2.LUT(out, self.light[place][:, None])
        top, bottom, left, end = self.erased[place].tolist()
        if bottom > top and end > left:
            cv2.rectangle(out, (left, top), (end - 1, bottom - 1), self.fill, thickness=cv2.FILLED)

    def apply(self, images: Tensor) -> Tensor:
        """Apply the changes to a whole batch on its own device, with the same pixels as `write`.

        Args:
            images: (N, 3, H, W) uint8 on any device, not changed.

        Returns:
            (N, 3, H, W) uint8, channels last in memory.
        """
        height, width = images.shape[2:]
        flip, shift, erased = (
            torch.from_numpy(values).to(images.device) for values in (self.flip, self.shift, self.erased)
        )
        every = torch.arange(len(images), device=images.device)[:, None, None]
        rows = torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device)
        from_row, from_column = rows - shift[:, :1], columns - shift[:, 1:]  # (N, H) and (N, W)
        seen = (
            _between(from_row, 0, height)[:, :, None] & _between(from_column, 0, width)[:, None]
        )  # (N, H, W)
        from_column = torch.where(flip[:, None], width - 1 - from_column, from_column)
        from_row, from_column = from_row.clamp(0, height - 1), from_column.clamp(0, width - 1)
        changed = images.permute(0, 2, 3, 1)[every, from_row[:, :, None], from_column[:, None]]
        changed = changed * seen[..., None]  # (N, H, W, 3)
        if self.light is not None:
            table = torch.from_numpy(self.light).to(images.device)
            changed = table[every[..., None], changed.long(), torch.arange(3, device=images.device)]
        inside = (
            _between(rows, erased[:, :1], erased[:, 1:2])[:, :, None]
            & _between(columns, erased[:, 2:3], erased[:, 3:])[:, None]
        )
        fill = torch.tensor(self.fill, dtype=torch.uint8, device=images.device)
        return torch.where(inside[..., None], fill, changed).permute(0, 3, 1, 2)


def _between(values: Tensor, start: Tensor | int, end: Tensor | int) -> Tensor:
    return (values >= start) & (values < end)
