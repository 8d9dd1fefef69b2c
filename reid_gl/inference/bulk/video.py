"""Frames of a video file, counted from 1."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from reid_gl.data.loading.images import Image8

logger = logging.getLogger(__name__)


class VideoEndsError(ValueError):
    """A frame that the video does not have."""


class VideoReader:
    """Frames in rising order. The ones between are decoded and dropped: jumping is inexact in many formats.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no video.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._capture, self._next = path, _open(path), 1

    def read(self, frame: int) -> Image8:
        """A frame (H, W, 3) uint8 RGB, later than all before.

        Raises:
            VideoEndsError: the video ends before it, whatever its container claims.
        """
        assert frame >= self._next, f"frame {frame} is asked for after frame {self._next - 1}"
        picture = None
        while self._next <= frame and self._capture.grab():
            self._next += 1
        if self._next > frame:
            picture = self._capture.retrieve()[1]
        if picture is None:
            claimed = _claim(self._capture)
            claim = f" (its container claims {claimed:,} frames)" if claimed > 0 else ""
            raise VideoEndsError(
                f"video {self._path} ends after frame {self._next - 1}, frame {frame} is wanted{claim}: "
                "leave out the boxes of later frames, or restore the video if it was cut short"
            )
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()


def claimed_frames(path: Path) -> int:
    """How many frames the container of a video claims; often wrong, 0 or less where it does not say.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no video.
    """
    capture = _open(path)
    try:
        return _claim(capture)
    finally:
        capture.release()


def count_frames(path: Path, *, show_progress: bool = False) -> int:
    """How many frames can be decoded, found by decoding all; what the container claims is a hint at most.

    Args:
        path: of the video.
        show_progress: draw a bar, up to the number that the container claims.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no video, or one without a frame.
    """
    capture = _open(path)
    count, claimed = 0, _claim(capture)
    disable = None if show_progress else True
    try:
        with tqdm(total=max(claimed, 0) or None, unit="frame", desc="counting", disable=disable) as bar:
            while capture.grab():
                count += 1
                bar.update()
    finally:
        capture.release()
    if not count:
        raise ValueError(f"video {path} has no frames that can be decoded: it is truncated or broken")
    if 0 < claimed != count:
        logger.warning(
            "video %s has %s frames, its container claims %s: all that can be decoded are taken",
            *(path, f"{count:,}", f"{claimed:,}"),
        )
    return count


def _claim(capture: cv2.VideoCapture) -> int:
    return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise FileNotFoundError(f"video {path} does not exist")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise ValueError(f"video {path} cannot be opened: it is truncated, broken or no video")
    return capture
