from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from reid_gl.data.loading.images import (
    MAX_PIXELS,
    UnreadableImageError,
    check_image,
    crop_box,
    decode_image,
    read_image,
)


def _pixels(seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 20, channels), dtype=np.uint8)


def _encoded(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    """Encoded by PIL, so that reading by OpenCV is checked against another program."""
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, kind, **options)
    return file.getvalue()


def _png_that_claims(width: int, height: int, *, num_bytes: int | None = None) -> bytes:
    """A PNG of a few bytes with this size in its header, and perhaps with pixels that claim so many bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        claimed = num_bytes if num_bytes is not None and kind == b"IDAT" else len(data)
        return struct.pack(">I", claimed) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_channels_are_red_green_blue() -> None:
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[0, 0], image[0, 1], image[1, 2] = (255, 0, 0), (0, 255, 0), (1, 2, 3)
    assert np.array_equal(decode_image(_encoded(image, "PNG")), image)


def test_png_and_bmp_come_back_bit_for_bit() -> None:
    for seed in range(8):
        image = _pixels(seed)
        for kind in ("PNG", "BMP"):
            decoded = decode_image(_encoded(image, kind))
            assert decoded.dtype == np.uint8
            assert np.array_equal(decoded, image)


def test_jpeg_is_nearly_what_pil_reads() -> None:
    data = _encoded(cv2.resize(_pixels(), (64, 128)), "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image).astype(int)
    assert np.abs(decode_image(data) - expected).max() <= 3


def test_grey_is_repeated() -> None:
    grey = _pixels(channels=1)
    assert np.array_equal(decode_image(_encoded(grey, "PNG")), grey.repeat(3, axis=2))


def test_transparency_is_dropped() -> None:
    rgba = _pixels(channels=4)
    assert np.array_equal(decode_image(_encoded(rgba, "PNG")), rgba[..., :3])


def test_sixteen_bit_and_palette_images_become_eight_bit_rgb() -> None:
    deep = cv2.imencode(".png", _pixels().astype(np.uint16) * 257)[1].tobytes()
    assert np.array_equal(decode_image(deep), _pixels()[..., ::-1])
    file = io.BytesIO()
    Image.fromarray(_pixels()).quantize(8).save(file, "PNG")
    assert decode_image(file.getvalue()).shape == (40, 20, 3)


def test_read_image_takes_a_path_or_its_text(tmp_path: Path) -> None:
    path = tmp_path / "ü 人.png"
    path.write_bytes(_encoded(_pixels(), "PNG"))
    assert np.array_equal(read_image(path), _pixels())
    assert np.array_equal(read_image(str(path)), _pixels())
    assert check_image(path) == ""


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"image .*none\.jpg does not exist"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "none.jpg")
    with pytest.raises(FileNotFoundError, match=r"image .*link\.jpg is a link to nothing"):
        read_image(tmp_path / "link.jpg")
    with pytest.raises(UnreadableImageError, match="is not a file but a folder"):
        read_image(tmp_path)
    assert check_image(tmp_path / "none.jpg") == f"image {tmp_path / 'none.jpg'} does not exist"


BROKEN = {
    "empty": (b"", r"is empty \(0 bytes\): restore or remove"),
    "text": (b"hello, I am no image\n", "is not an image .* remove it from the folder"),
    "truncated jpeg": (_encoded(_pixels(), "JPEG")[:-200], "is truncated"),
    "jpeg without its last byte": (_encoded(_pixels(), "JPEG")[:-1], "is truncated"),
    "jpeg header": (
        _encoded(_pixels(), "JPEG")[:30],
        "is damaged, its header cannot be read: restore or remove",
    ),
    "truncated png": (_encoded(_pixels(), "PNG")[:-200], "is truncated"),
    "half a png": (_encoded(_pixels(), "PNG")[:1200], "is truncated"),
    "png header": (
        _encoded(_pixels(), "PNG")[:20],
        "is damaged, its header cannot be read: restore or remove",
    ),
    "png with pixels of 4 GB": (_png_that_claims(8, 8, num_bytes=0xFFFF_FFF0), "is truncated"),
    "bomb": (_png_that_claims(50_000, 50_000), f"claims far more than {MAX_PIXELS:,} pixels"),
    "smaller bomb": (_png_that_claims(30_000, 30_000), f"more than {MAX_PIXELS:,}"),
    "bomb that PIL only warns of": (_png_that_claims(12_000, 12_000), "claims far more than"),
    "just too large": (
        _png_that_claims(8_001, 8_000),
        f"claims 8001 x 8000 pixels, more than {MAX_PIXELS:,}",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_in_one_sentence_that_names_them(kind: str, tmp_path: Path) -> None:
    data, message = BROKEN[kind]
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    start = time.perf_counter()
    with pytest.raises(UnreadableImageError, match=message) as caught:
        read_image(path)
    problem = check_image(path)
    assert time.perf_counter() - start < 3  # also on a busy machine: nothing of 7 GB was decoded
    assert problem == str(caught.value)
    assert str(path) in problem
    assert "\n" not in problem


def test_a_image_of_the_largest_size_passes_the_header_check(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(_png_that_claims(8_000, 8_000))
    assert check_image(path) == ""


def test_a_png_with_broken_data_is_refused_when_decoded() -> None:
    data = bytearray(_encoded(_pixels(), "PNG"))
    data[60:90] = bytes(30)
    with pytest.raises(UnreadableImageError, match=r"image x\.png is truncated or broken: restore or remove"):
        decode_image(bytes(data), name="x.png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_bytes_after_the_end_do_not_matter(kind: str) -> None:
    """Telephones append short films and depth maps to their images."""
    data = _encoded(_pixels(), kind)
    film = bytes(np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8))
    assert np.array_equal(decode_image(data + film), decode_image(data))


def _jpeg_with_thumbnail() -> bytes:
    data, thumbnail = _encoded(_pixels(), "JPEG"), _encoded(_pixels()[:8, :8], "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    return data[:2] + segment + data[2:]


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(tmp_path: Path) -> None:
    data = _jpeg_with_thumbnail()
    assert np.array_equal(decode_image(data), decode_image(_encoded(_pixels(), "JPEG")))
    (tmp_path / "cut.jpg").write_bytes(data[:-100])
    assert "is truncated" in check_image(tmp_path / "cut.jpg")


def test_the_error_is_a_value_error_that_workers_can_send() -> None:
    assert issubclass(UnreadableImageError, ValueError)
    assert str(UnreadableImageError("image a.jpg is empty")) == "image a.jpg is empty"


def test_a_box_is_cut_off_at_the_border() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(crop_box(image, (-2, 1, 3, 9)), image[1:4, 0:3])
    np.testing.assert_array_equal(crop_box(image, (1, 2, 5, 3)), image[2:3, 1:5])


@pytest.mark.parametrize("box", [(6, 0, 8, 2), (-4, 0, 0, 2), (2, 2, 2, 3), (3, 1, 2, 2), (0, -5, 4, -1)])
def test_a_box_without_pixels_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"does not overlap image a.jpg, which has 6 x 4 pixels"):
        crop_box(np.zeros((4, 6, 3), np.uint8), box, name="a.jpg")
