"""Frames of a video file, counted from 1."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from reid_gl.data.loading.images import Image8


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
            ValueError: the video ends before it, or breaks off there.
        """
        assert frame >= self._next, f"frame {frame} is asked for after frame {self._next - 1}"
        picture = None
        while self._next <= frame and self._capture.grab():
            self._next += 1
        if self._next > frame:
            picture = self._capture.retrieve()[1]
        if picture is None:
            raise ValueError(
                f"video {self._path} breaks off after frame {self._next - 1}, frame {frame} is wanted: it is "
                "truncated or broken, repair it or encode it again"
            )
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()


def count_frames(path: Path) -> int:
    """How many frames a video says it has; where it does not say, all are decoded and counted.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no video, or one without a frame.
    """
    capture = _open(path)
    try:
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if count < 1:
            count = 0
            while capture.grab():
                count += 1
    finally:
        capture.release()
    if not count:
        raise ValueError(f"video {path} has no frames that can be decoded: it is truncated or broken")
    return count


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise FileNotFoundError(f"video {path} does not exist")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise ValueError(f"video {path} cannot be opened: it is truncated, broken or no video")
    return capture
