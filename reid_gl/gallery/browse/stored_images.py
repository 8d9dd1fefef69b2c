"""The images that the rows of a gallery were computed from, as JPEG files for a browser."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from reid_gl.data.loading.images import IMAGE_SUFFIXES, Image8, read_image
from reid_gl.gallery.interface.sightings import UNKNOWN, Sighting
from reid_gl.inference.bulk.video import VideoReader
from reid_gl.inference.extractor.crops import cut_boxes

CROP_SIDE = 256
"""Longer side of a crop, pixels."""
QUALITY = 88
NUM_CACHED = 2_000


class StoredImages:
    """Reads what rows of a gallery name, and nothing else; threads may share it.

    Args:
        root: folder that relative paths start from.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._video_lock = root, threading.Lock()
        self._encoded = lru_cache(NUM_CACHED)(self._encode_crop)

    def crop(self, sighting: Sighting) -> bytes:
        """Return the person as a JPEG file of at most 256 pixels.

        Raises:
            FileNotFoundError, ValueError: there is no such image, it is broken, or the box is outside it.
        """
        return self._encoded(sighting)

    def frame(self, sighting: Sighting) -> bytes:
        """Return the whole image as a JPEG file, in its own size, to which the box refers; errors as crop."""
        return _encode_jpeg(self._read(sighting))

    def _encode_crop(self, sighting: Sighting) -> bytes:
        image = self._read(sighting)
        if sighting.box is not None:
            (crop,) = cut_boxes(image, np.array([sighting.box]))
            if crop is None:
                raise ValueError(f"the box {sighting.box} is outside the image {sighting.path}")
            image = crop
        height, width = image.shape[:2]
        scale = CROP_SIDE / max(height, width)
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return _encode_jpeg(image)

    def _read(self, sighting: Sighting) -> Image8:
        if not sighting.path:
            raise FileNotFoundError("the gallery names no image of this row")
        path = self._root / sighting.path
        if sighting.frame == UNKNOWN or _is_image(path):
            return read_image(path)
        with self._video_lock:
            return _read_video_frame(path, sighting.frame)


def _encode_jpeg(image: Image8) -> bytes:
    """Encode an image (H, W, 3) RGB."""
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _read_video_frame(path: Path, frame: int) -> Image8:
    """Read one frame, counted from 1, (H, W, 3) uint8 RGB, see VideoReader.seek for errors."""
    reader = VideoReader(path)
    try:
        return reader.seek(frame)
    finally:
        reader.close()


def _is_image(path: Path) -> bool:
    """Return whether a row with a frame number is an image of a sequence, not a frame of a video."""
    return path.suffix.lower() in IMAGE_SUFFIXES
