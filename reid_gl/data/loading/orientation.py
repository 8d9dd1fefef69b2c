"""The EXIF orientation of an image."""

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
    """Return the transposition that an image's EXIF orientation asks for; None for none.

    An orientation in XMP metadata is ignored, because OpenCV does not read it.
    """
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")
    return TRANSPOSITIONS.get(exif.get(ORIENTATION_TAG, 1))
