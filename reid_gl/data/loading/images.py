"""Reading of image files that may be broken, malicious, or not images at all."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from reid_gl.data.loading.bit_depth import to_8_bits
from reid_gl.data.loading.orientation import transposition
from reid_gl.untrusted.regular_file import read_regular_file, why_no_file

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Suffixes of files that are read as images, in lower case."""
SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF", b"II*\x00", b"MM\x00*")
"""First bytes of image files of these kinds, except BMP's two letters, with which texts may begin."""
MAX_PIXELS = 64_000_000
"""Larger images are refused after reading their header, before any pixel is decoded."""
MAX_FILE_BYTES = 8 * MAX_PIXELS
"""Size of the largest uncompressed image; larger files are refused before they are read."""

EXPECTED_DEPTH = "expected 8 or 16 bits per channel, convert the image"

Image8 = NDArray[np.uint8]


class UnreadableImageError(ValueError):
    """A file is not a complete image of a sensible size."""


def read_image(path: str | Path) -> Image8:
    """Decode an image file.

    Args:
        path: a JPEG, PNG or any other format that both OpenCV and PIL support.

    Returns:
        (H, W, 3) uint8 RGB, rotated by its EXIF orientation. Grey images are repeated over the three
        channels, transparency is dropped, and more than 8 bits per channel are reduced by to_8_bits.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableImageError: the file is not a regular file, is empty, truncated or not an image, has
            floating-point or 32-bit pixels, or more than MAX_PIXELS.
    """
    return decode_image(read_image_bytes(path), name=str(path))


def decode_image(data: bytes, *, name: str = "image") -> Image8:
    """Decode an image in memory in the same way as read_image.

    Args:
        data: the encoded bytes.
        name: name of the image in error messages.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UnreadableImageError: see read_image.
    """
    _check_header(data, name)
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_IGNORE_ORIENTATION if is_webp else 0)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise UnreadableImageError(f"image {name} cannot be decoded: {error.err}") from None
    if image is None:
        raise UnreadableImageError(f"image {name} is truncated or broken: restore or remove the file")
    if image.dtype not in (np.uint8, np.uint16):
        raise UnreadableImageError(f"image {name} holds {image.dtype}: {EXPECTED_DEPTH}")
    if image.dtype == np.uint16:
        image = to_8_bits(image.astype(np.uint16, copy=False))
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return _turned_webp(rgb, data) if is_webp else rgb


def _turned_webp(image: Image8, data: bytes) -> Image8:
    """Rotate a WebP image by its EXIF orientation: older OpenCV versions do so for all formats but WebP."""
    with Image.open(io.BytesIO(data)) as header:
        method = transposition(header)
    return image if method is None else np.array(Image.fromarray(image).transpose(method))


def read_image_bytes(path: str | Path) -> bytes:
    """Return the encoded bytes of an image file without checking them; for errors see read_image."""
    try:
        return read_regular_file(path, max_bytes=MAX_FILE_BYTES, name=f"image {path}")
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"image {path} {why_no_file(Path(path))}") from None
    except OSError as error:
        raise UnreadableImageError(f"image {path} cannot be opened: {error.strerror}") from None
    except ValueError as error:
        raise UnreadableImageError(str(error)) from None


def _check_header(data: bytes, name: str) -> None:
    if not data:
        raise UnreadableImageError(f"image {name} is empty (0 bytes): restore or remove the file")
    width, height = _header_size(data, name)
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(
            f"image {name} claims {width} x {height} pixels, more than {MAX_PIXELS:,} are not decoded: "
            "remove it or scale it down"
        )
    if _is_truncated_jpeg(data) or _is_truncated_png(data):
        raise UnreadableImageError(f"image {name} is truncated: restore or remove the file")


def _header_size(data: bytes, name: str) -> tuple[int, int]:
    """Return (width, height) from the header of an encoded image, without decoding it."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            return width, height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableImageError(
            f"image {name} claims far more than {MAX_PIXELS:,} pixels: remove it"
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        if data.startswith(SIGNATURES):
            raise UnreadableImageError(
                f"image {name} is damaged, its header cannot be read: restore or remove the file"
            ) from None
        raise UnreadableImageError(
            f"{name} is not an image (its first bytes are {data[:8]!r}): remove it from the folder"
        ) from None


def _is_truncated_jpeg(data: bytes) -> bool:
    """Whether a JPEG has no end marker after the start of its first scan.

    End markers of embedded thumbnails, which come before the scan, do not count. Extra bytes after the end
    marker are allowed.
    """
    if data[:2] != b"\xff\xd8":
        return False
    place = 2
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        is_filling = data[place + 1 : place + 2] == b"\xff"
        place += 1 if is_filling else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return b"\xff\xd9" not in data[place:]


def _is_truncated_png(data: bytes) -> bool:
    """Whether a PNG ends within a chunk.

    This is checked before decoding because OpenCV allocates as much memory as a chunk claims to hold.
    """
    if data[:4] != b"\x89PNG":
        return False
    place = len(b"\x89PNG\r\n\x1a\n")
    while data[place + 4 : place + 8] != b"IEND" and place < len(data):
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place + 12 > len(data)


def crop_box(image: Image8, box: tuple[int, int, int, int], *, name: str = "image") -> Image8:
    """Crop an image to a box; parts of the box outside the image are cut off.

    Args:
        image: (H, W, 3).
        box: (x1, y1, x2, y2) in pixels; x2 and y2 are exclusive.
        name: name of the image in error messages.

    Returns:
        A view (y2 - y1, x2 - x1, 3) of the image.

    Raises:
        ValueError: the box does not overlap the image.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    crop = image[max(0, y1) : max(0, min(y2, height)), max(0, x1) : max(0, min(x2, width))]
    if crop.size == 0:
        raise ValueError(f"box {box} does not overlap image {name}, which has {width} x {height} pixels")
    return crop


def check_image(path: str | Path) -> str:
    """Check the header and the end of an image file without decoding it; return the problem or ""."""
    try:
        data = read_image_bytes(path)
        _check_header(data, str(path))
    except (OSError, UnreadableImageError) as error:
        return str(error)
    return ""
