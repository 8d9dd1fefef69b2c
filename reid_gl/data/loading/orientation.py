"""How an image is to be turned, as its EXIF data say."""

from __future__ import annotations

from PIL import Image

ORIENTATION_TAG = 0x0112
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def transposition(image: Image.Image) -> Image.Transpose | None:
    """How to turn an image; what XMP says does not count, as OpenCV does not read it; None to leave it."""
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")
    return TRANSPOSITIONS.get(exif.get(ORIENTATION_TAG, 1))
