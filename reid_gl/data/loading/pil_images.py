"""Conversion of PIL images to the same pixels as read_image returns for their files."""

from __future__ import annotations

import numpy as np
from PIL import Image

from reid_gl.data.loading.bit_depth import to_8_bits
from reid_gl.data.loading.images import (
    EXPECTED_DEPTH,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    Image8,
    UnreadableImageError,
    decode_image,
)
from reid_gl.data.loading.orientation import transposition

LARGEST_16_BIT = 65_535


def decode_pil_image(image: Image.Image, *, name: str = "image") -> Image8:
    """Convert a PIL image to the array that read_image returns for its file; the image is not changed.

    The result is rotated by the EXIF orientation, unless ImageOps.exif_transpose has done so already. PIL
    keeps the orientation when an image is cropped or resized.

    PIL drops the lower 8 bits of 16-bit colour images when it loads them. 12-bit colours in a 16-bit file are
    therefore right only if the image has not been loaded yet.

    Args:
        image: an image in any mode except "F" (floating point).
        name: name of the image in error messages.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UnreadableImageError: the image has too many pixels, floating-point values or values beyond 16 bits,
            or its file is broken.
    """
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImageError(
            f"{name} has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,} are not decoded: "
            "scale it down"
        )
    if (data := _encoded_16_bits(image)) is not None:
        return decode_image(data, name=name)
    try:
        image.load()
        turned = _turned(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableImageError(f"{name} cannot be decoded: {error}") from None
    if turned.mode == "F":
        raise UnreadableImageError(f"{name} holds floating-point numbers: {EXPECTED_DEPTH}")
    if turned.mode == "I" or turned.mode.startswith("I;16"):
        return np.repeat(_grey(np.asarray(turned), name)[..., None], 3, axis=2)
    return np.asarray(turned.convert("RGB"), dtype=np.uint8)


def _grey(values: np.ndarray, name: str) -> Image8:
    if values.min() < 0 or values.max() > LARGEST_16_BIT:
        raise UnreadableImageError(f"{name} has values beyond 16 bits: {EXPECTED_DEPTH}")
    return to_8_bits(values.astype(np.uint16))


def _encoded_16_bits(image: Image.Image) -> bytes | None:
    """Return the file's bytes of a 16-bit colour image that PIL has not loaded yet; None for any other."""
    tiles, file = getattr(image, "tile", None), getattr(image, "fp", None)
    if not tiles or file is None or image.tell() or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    raw_mode = tiles[0][3] if isinstance(tiles[0][3], str) else tiles[0][3][0]
    if ";16" not in str(raw_mode):
        return None
    place = file.tell()
    file.seek(0)
    data: bytes = file.read(MAX_FILE_BYTES)
    file.seek(place)
    return data


def _turned(image: Image.Image) -> Image.Image:
    """Rotate an image by its EXIF orientation."""
    method = transposition(image)
    return image if method is None else image.transpose(method)
