from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.data.loading.images import Image8
from reid_gl.gallery.browse.stored_images import StoredImages
from reid_gl.gallery.interface.sightings import Sighting
from tests.made_up_videos import write_video


def flat_frames(count: int) -> list[Image8]:
    """Frames of one colour each, with a red person at x 10 to 30 and y 5 to 45."""
    frames = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(1, count + 1)]
    for frame in frames:
        frame[5:45, 10:30] = (230, 10, 10)
    return frames


def decode(data: bytes) -> Image8:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


@pytest.fixture
def images(tmp_path: Path) -> StoredImages:
    frames = flat_frames(9)
    write_video(tmp_path / "film.mkv", frames)
    (tmp_path / "img1").mkdir()
    assert cv2.imwrite(str(tmp_path / "img1" / "000001.png"), cv2.cvtColor(frames[0], cv2.COLOR_RGB2BGR))
    return StoredImages(tmp_path)


@pytest.mark.parametrize(
    ("path", "frame"), [("img1/000001.png", -1), ("img1/000001.png", 1), ("film.mkv", 1)]
)
def test_a_person_is_cut_out(path: str, frame: int, images: StoredImages) -> None:
    crop = decode(images.crop(Sighting(path=path, frame=frame, box=(10, 5, 30, 45))))
    assert crop.shape == (40, 20, 3)
    assert np.abs(crop.mean(axis=(0, 1)) - (230, 10, 10)).max() < 8
    assert decode(images.crop(Sighting(path=path, frame=frame))).shape == (48, 64, 3)


def test_any_frame_of_a_video(images: StoredImages) -> None:
    for frame in (8, 2, 9, 5):
        image = decode(images.frame(Sighting(path="film.mkv", frame=frame)))
        assert image[24, 60].tolist() == pytest.approx([20 * frame] * 3, abs=4)


def test_only_crops_are_made_smaller(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "large.png"), np.zeros((1000, 3000, 3), np.uint8))
    images = StoredImages(tmp_path)
    assert decode(images.crop(Sighting(path="large.png"))).shape == (85, 256, 3)
    assert decode(images.frame(Sighting(path="large.png"))).shape == (1000, 3000, 3)


@pytest.mark.parametrize(
    ("sighting", "error", "message"),
    [
        (Sighting(), FileNotFoundError, "the gallery names no image of this row"),
        (Sighting(path="none.jpg"), FileNotFoundError, "none.jpg does not exist"),
        (Sighting(path="img1/000001.png", box=(70, 0, 90, 20)), ValueError, "is outside the image"),
        (Sighting(path="film.mkv", frame=10), ValueError, "frame 10 is needed"),
        (Sighting(path="film.mkv"), ValueError, "is not an image"),
        (Sighting(path="/etc/passwd"), ValueError, "is not an image"),  # of a gallery of somebody else
    ],
)
def test_what_is_no_image(
    sighting: Sighting, error: type[Exception], message: str, images: StoredImages
) -> None:
    with pytest.raises(error, match=message):
        images.crop(sighting)
