from __future__ import annotations

import base64
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.serve.request_images import crop, decode_text
from tests.tiny_checkpoint import coloured_crops


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that claims a size and stops before its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return len(data).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    chunks = [
        chunk(b"IHDR", header),
        chunk(b"IDAT", zlib.compress(bytes(width + 1) * 8)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".jpg"])
def test_formats(suffix: str) -> None:
    (image,) = coloured_crops(1)
    data = cv2.imencode(suffix, image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    assert np.abs(decode_text(encoded(data)).astype(int) - image).mean() < (20 if suffix == ".jpg" else 0.01)


def test_an_image_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    pixels = np.zeros((20, 10, 3), np.uint8)
    pixels[:10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    image = decode_text(encoded((tmp_path / "turned.png").read_bytes()))
    assert image.shape == (10, 20, 3)
    assert image[:, 10:].min() == 255
    assert image[:, :10].max() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data:image/png;base64,AAAA", "without line breaks or a prefix"),
        ("AA\nAA", "without line breaks"),
        ("ä", "must be the bytes of a file in base64"),
        ("", "must be one of JPEG, PNG, WebP, BMP, its first bytes are b''"),
        (encoded(b"%!PS-Adobe-3.0"), r"one of JPEG, PNG, WebP, BMP, its first bytes are b'%!PS"),
        (encoded(b"II*\0" + bytes(100)), "must be one of JPEG"),
    ],
)
def test_a_text_that_is_no_image(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_text(text)


@pytest.mark.parametrize("size", [(9_000, 8_000), (60_000, 60_000)])
def test_an_image_bomb_is_refused_before_it_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableImageError, match="more than 64,000,000"):
        decode_text(encoded(bomb(*size)))


def test_a_truncated_image() -> None:
    data = cv2.imencode(".jpg", coloured_crops(1)[0])[1].tobytes()
    with pytest.raises(UnreadableImageError, match="image 'image' is truncated"):
        decode_text(encoded(data[: len(data) // 2]))


def test_boxes_are_cropped_and_those_outside_are_not_valid() -> None:
    image = np.zeros((40, 30, 3), np.uint8)
    image[10:20, 5:15] = (10, 20, 30)
    crops = crop(image, [[5, 10, 15, 20], [90, 90, 99, 99], [5, 10, 10, 10]], "xyxy", Preprocessing(8, 4))
    assert crops.valid.tolist() == [True, False, False]
    assert crops.images.shape == (1, 8, 4, 3)
    assert (crops.images == (10, 20, 30)).all()
    same = crop(image, [[10, 15, 10, 10]], "cxcywh", Preprocessing(8, 4))
    np.testing.assert_array_equal(same.images, crops.images)
    assert crop(image, None, "xyxy", Preprocessing(8, 4)).images.shape == (1, 8, 4, 3)
    assert crop(image, [], "xyxy", Preprocessing(8, 4)).images.shape == (0, 8, 4, 3)
    with pytest.raises(ValueError, match="boxes must be in pixels"):
        crop(image, [[0.1, 0.1, 0.5, 0.9]], "xyxy", Preprocessing(8, 4))
