from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from reid_gl.data.loading.images import MAX_PIXELS, UnreadableImageError, read_image
from reid_gl.data.loading.pil_images import decode_pil_image

ORIENTATION = 0x0112


def _blocks() -> np.ndarray:
    """Large even blocks, so that a lossy format gives them back nearly as they are."""
    small = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.kron(small, np.ones((16, 16, 1), np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_as_its_file_is(kind: str, orientation: int, tmp_path: Path) -> None:
    path, exif = tmp_path / "image", Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    Image.fromarray(_blocks()).save(path, kind, exif=exif, **options)
    expected = read_image(path)
    assert expected.shape == ((64, 96, 3) if orientation < 5 else (96, 64, 3))
    with Image.open(path) as image:
        np.testing.assert_array_equal(decode_pil_image(image), expected)
        np.testing.assert_array_equal(
            decode_pil_image(image), expected
        )  # loaded by now, and not turned itself
        np.testing.assert_array_equal(decode_pil_image(ImageOps.exif_transpose(image)), expected)
        np.testing.assert_array_equal(decode_pil_image(image.convert("RGB")), expected)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("shape", [(40, 20), (40, 20, 3), (40, 20, 4)])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_every_bit_depth_is_scaled_as_the_file_is(
    bits: int, shape: tuple[int, ...], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"image{suffix}"
    deep = np.random.default_rng(0).integers(0, 1 << bits, shape, dtype=np.uint16)
    assert cv2.imwrite(str(path), deep)
    expected = (deep >> (bits - 8)).astype(np.uint8)
    expected = np.repeat(expected[..., None], 3, axis=2) if deep.ndim == 2 else expected[..., 2::-1]
    np.testing.assert_array_equal(read_image(path), expected)
    with Image.open(path) as image:
        np.testing.assert_array_equal(decode_pil_image(image), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_other_modes_are_what_their_files_are(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "image.tiff"
    Image.fromarray(_blocks()).convert(mode).save(path)
    with Image.open(path) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(decode_pil_image(image), read_image(path))


def test_grey_of_32_bits_is_taken_as_16_where_it_fits() -> None:
    values = np.array([[0, 65_535], [256, 257]], dtype=np.int32)
    assert decode_pil_image(Image.fromarray(values))[..., 0].tolist() == [[0, 255], [1, 1]]
    for wrong in (-1, 65_536):
        with pytest.raises(UnreadableImageError, match="image 3 has values beyond 16 bits: expected 8 or 16"):
            decode_pil_image(Image.fromarray(np.array([[wrong, 0]], dtype=np.int32)), name="image 3")


def test_floating_point_numbers_are_refused_on_both_routes(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableImageError, match="image holds floating-point numbers: expected 8 or 16 bits"
    ):
        decode_pil_image(Image.fromarray(np.ones((4, 4), np.float32)))
    path = tmp_path / "image.tiff"
    assert cv2.imwrite(str(path), np.ones((4, 4, 3), np.float32))
    with pytest.raises(UnreadableImageError):
        read_image(path)


def test_too_many_pixels_and_broken_files_are_refused() -> None:
    with pytest.raises(
        UnreadableImageError, match=f"has 8001 x 8000 pixels, more than {MAX_PIXELS:,} are not"
    ):
        decode_pil_image(Image.new("1", (8_001, 8_000)))
    file = io.BytesIO()
    Image.fromarray(_blocks()).save(file, "PNG")
    with pytest.raises(UnreadableImageError, match="image cannot be decoded: "):
        decode_pil_image(Image.open(io.BytesIO(file.getvalue()[:200])))
