"""Turn video frames with boxes, or any kind of image, into the network's input pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation.arrays import as_array

BOX_FORMATS = ("xyxy", "tlwh", "cxcywh")


def as_corners(boxes: ArrayLike | torch.Tensor, box_format: str) -> NDArray[np.float64]:
    """Convert boxes to corners.

    Args:
        boxes: (N, 4), or more columns, of which only the first four are used: list, array or tensor;
            an empty list counts as (0, 4).
        box_format: "xyxy" corners; "tlwh" left, top, width, height; "cxcywh" centre, width, height.

    Returns:
        (N, 4) x1, y1, x2, y2 in pixels.

    Raises:
        ValueError: the format is unknown, a box has fewer than four numbers, or boxes are given relative to
            the frame instead of in pixels.
    """
    if box_format not in BOX_FORMATS:
        raise ValueError(f"unknown box format {box_format!r}: expected one of {', '.join(BOX_FORMATS)}")
    given = as_array(boxes).astype(np.float64)
    if given.size == 0:
        return np.empty((0, 4))
    if given.ndim != 2 or given.shape[1] < 4:
        raise ValueError(f"boxes must have shape (N, 4), got {given.shape}")
    corners: NDArray[np.float64] = given[:, :4].copy()
    if box_format == "cxcywh":
        corners[:, :2] -= corners[:, 2:] / 2
    if box_format != "xyxy":
        corners[:, 2:] += corners[:, :2]
    check_pixels(given[:, :4], corners)
    return corners


def check_pixels(given: NDArray[np.float64], corners: NDArray[np.float64]) -> None:
    """Raise if boxes are relative to the frame, in [0, 1], which would all crop the first pixel.

    A box that a tracker has clipped at the frame's corner may lie within the first pixel, and an empty box
    may be all zeros. A box that is not empty and begins inside the first pixel is neither of these.

    Args:
        given: (N, 4) as the caller gave them.
        corners: (N, 4) x1, y1, x2, y2 of the same boxes.

    Raises:
        ValueError: no number is greater than 1, and at least one box is relative.
    """
    known = np.isfinite(given).all(axis=1)
    given, corners = given[known], corners[known]
    if not ((given >= 0) & (given <= 1)).all():
        return
    holds_something = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    shares = np.flatnonzero(holds_something & (corners[:, :2] > 0).any(axis=1))
    if len(shares):
        raise ValueError(
            f"boxes must be in pixels, got {given[shares[0]].tolist()}, fractions of the frame in [0, 1]: "
            "multiply them by its width and height"
        )


def cut_boxes(frame: Image8, corners: NDArray[np.float64]) -> list[Image8 | None]:
    """Crop a frame to each box: frame[y1:y2, x1:x2] after clipping, then truncating.

    Args:
        frame: (H, W) or (H, W, channels).
        corners: (N, 4) x1, y1, x2, y2.

    Returns:
        Views of the frame; None if a box contains no pixel, or a corner is NaN.
    """
    height, width = frame.shape[:2]
    known = ~np.isnan(corners).any(axis=1, keepdims=True)
    clipped = np.clip(np.where(known, corners, 0.0), 0.0, [width, height, width, height])
    crops: list[Image8 | None] = []
    for x1, y1, x2, y2 in clipped.astype(np.int64).tolist():
        crops.append(frame[y1:y2, x1:x2] if x2 > x1 and y2 > y1 else None)
    return crops


def check_image_array(image: Image8, name: str = "image") -> None:
    """Raise TypeError or ValueError unless an image is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"{name} must be an array of uint8 in [0, 255], got {kind}")
    is_image = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if not is_image or not image.size:
        raise ValueError(f"{name} must have shape (H, W), (H, W, 3) or (H, W, 4), got {image.shape}")


def resize_crops(
    crops: Sequence[Image8 | None], preprocessing: Preprocessing, *, color_order: str = "rgb"
) -> Image8:
    """Resize images of any size into one array; missing images become black.

    Args:
        crops: N images that pass check_image_array, or None; grey is repeated, transparency dropped.
        preprocessing: size and kernel.
        color_order: channel order of the images, "rgb" or "bgr".

    Returns:
        (N, height, width, 3) uint8 RGB.
    """
    images = np.empty((len(crops), preprocessing.height, preprocessing.width, 3), np.uint8)
    for place, crop in enumerate(crops):
        if crop is None:
            images[place] = 0
            continue
        resized = preprocessing.resize(crop)
        if resized.ndim == 2 or resized.shape[2] == 1:
            images[place] = resized.reshape(*resized.shape[:2], 1)
        elif color_order == "rgb":
            images[place] = resized[..., :3]
        else:
            code = cv2.COLOR_BGR2RGB if resized.shape[2] == 3 else cv2.COLOR_BGRA2RGB
            cv2.cvtColor(resized, code, dst=images[place])
    return images
