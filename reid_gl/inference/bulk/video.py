"""Read the frames of a video file, counted from 1."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from reid_gl.data.loading.images import Image8
from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)


class VideoEndsError(ValueError):
    """The video has no such frame."""


class VideoReader:
    """Reads frames in ascending order.

    Frames in between are decoded and dropped, because seeking is inexact in many formats.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a video.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._capture, self._next = path, _open(path), 1

    def read(self, frame: int) -> Image8:
        """Read a frame (H, W, 3) uint8 RGB; it must be later than all frames read before.

        Raises:
            VideoEndsError: the video ends before this frame, even if its container claims more frames.
        """
        assert frame >= self._next, f"frame {frame} was requested after frame {self._next - 1}"
        image = None
        while self._next <= frame and self._capture.grab():
            self._next += 1
        if self._next > frame:
            image = self._capture.retrieve()[1]
        if image is None:
            claimed = _claim(self._capture)
            claim = f" (its container claims {claimed:,} frames)" if claimed > 0 else ""
            raise VideoEndsError(
                f"video {self._path} ends after frame {self._next - 1}, but frame {frame} is needed{claim}: "
                "leave out the boxes of later frames, or restore the video if it was cut short"
            )
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def seek(self, frame: int) -> Image8:
        """Read any frame (H, W, 3) uint8 RGB, to be looked at: fast, but in some formats a frame next to it.

        Raises:
            VideoEndsError: the video ends before this frame.
        """
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame - 1)
        self._next = frame
        return self.read(frame)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def claimed_frames(path: Path) -> int:
    """Return the number of frames that a video's container claims; often wrong, <= 0 if it claims none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a video.
    """
    capture = _open(path)
    try:
        return _claim(capture)
    finally:
        capture.release()


def claimed_rate(path: Path) -> float | None:
    """Return the frames per second that a video's container claims; None if it claims none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a video.
    """
    capture = _open(path)
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return rate if rate > 0 else None


def count_frames(path: Path, *, show_progress: bool = False) -> int:
    """Count the frames that can be decoded, by decoding all; the number in the container may be wrong.

    Args:
        path: the video file.
        show_progress: show a progress bar, up to the number of frames that the container claims.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a video, or has no frames.
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
            "video %s has %s frames, but its container claims %s: all frames that can be decoded are used",
            *(path, f"{count:,}", f"{claimed:,}"),
        )
    return count


def _claim(capture: cv2.VideoCapture) -> int:
    return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))


def _open(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise FileNotFoundError(f"video {path} {why_no_file(path)}")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise ValueError(f"video {path} cannot be opened: it is truncated, broken or not a video")
    return capture
