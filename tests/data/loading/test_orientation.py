from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from reid_gl.data.loading.orientation import ORIENTATION_TAG, transposition

PIXELS = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3)


def _saved(exif: Image.Exif | None, kind: str = "PNG", **options: object) -> Image.Image:
    file = io.BytesIO()
    more = {} if exif is None else {"exif": exif}
    Image.fromarray(PIXELS).save(file, kind, **more, **options)
    return Image.open(file)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return exif


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (2, PIXELS[:, ::-1]),
        (3, PIXELS[::-1, ::-1]),
        (4, PIXELS[::-1]),
        (5, PIXELS.T),
        (6, np.rot90(PIXELS, -1)),
        (7, PIXELS[::-1, ::-1].T),
        (8, np.rot90(PIXELS)),
    ],
)
def test_turned_as_exif_defines_it_and_as_pil_does(orientation: int, expected: np.ndarray) -> None:
    image = _saved(_exif(orientation))
    method = transposition(image)
    assert method is not None
    assert np.array_equal(image.transpose(method), expected)
    assert np.array_equal(ImageOps.exif_transpose(image), expected)


def test_upright_and_unknown_orientations_are_left() -> None:
    for exif in (None, Image.Exif(), _exif(1), _exif(0), _exif(9)):
        assert transposition(_saved(exif)) is None
    assert transposition(Image.fromarray(PIXELS)) is None


def test_what_xmp_says_does_not_count() -> None:
    packet = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    image = _saved(None, "JPEG", xmp=packet)
    if "xmp" not in image.info:
        pytest.skip("this PIL cannot write XMP")
    assert transposition(image) is None
