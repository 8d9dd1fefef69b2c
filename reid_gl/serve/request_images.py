"""Images of requests: from base64 to the network's input."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8, decode_image
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.crops import as_corners, cut_boxes, resize_crops

FORMATS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WebP": b"RIFF", "BMP": b"BM"}
"""First bytes of the formats that are decoded; every other decoder stays out of reach."""


class Crops(NamedTuple):
    """Resized boxes of an image.

    Attributes:
        images: (M, height, width, 3) uint8 RGB, of the valid boxes.
        valid: (N,) bool, False for a box without a pixel of the image.
    """

    images: Image8
    valid: NDArray[np.bool_]


def decode_text(text: str) -> Image8:
    """Decode an image in base64 to (H, W, 3) uint8 RGB, rotated by its EXIF orientation.

    Raises:
        ValueError: the text is not base64, or not an image of FORMATS; UnreadableImageError: as read_image,
            for example if it claims too many pixels.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(
            "image must be the bytes of a file in base64, without line breaks or a prefix such as data:"
        ) from None
    if not data.startswith(tuple(FORMATS.values())):
        raise ValueError(f"image must be one of {', '.join(FORMATS)}, its first bytes are {data[:8]!r}")
    return decode_image(data, name="'image'")


def crop(
    image: Image8, boxes: Sequence[Sequence[float]] | None, box_format: str, preprocessing: Preprocessing
) -> Crops:
    """Crop an image to boxes and resize the crops, as FeatureExtractor.extract does.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: N boxes; None for the whole image, N = 1.
        box_format: see FeatureExtractor.extract.
        preprocessing: of the network.

    Raises:
        ValueError: boxes are fractions of the image instead of pixels.
    """
    crops = [image] if boxes is None else cut_boxes(image, as_corners(list(boxes), box_format))
    valid = np.array([part is not None for part in crops], dtype=np.bool_)
    return Crops(resize_crops([part for part in crops if part is not None], preprocessing), valid)
