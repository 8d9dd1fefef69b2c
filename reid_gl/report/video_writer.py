"""Write an .mp4 video, and see that all of it is there."""

from __future__ import annotations

from pathlib import Path

import cv2

from reid_gl.data.loading.images import Image8

CODEC = "mp4v"


class VideoWriter:
    """Writes frames of one size.

    Args:
        path: file to write, with the suffix .mp4.
        size: (height, width) of the frames; an odd last row or column is cut off.
        frame_rate: frames per second.

    Raises:
        OSError: OpenCV cannot write this file.
    """

    def __init__(self, path: Path, size: tuple[int, int], frame_rate: float) -> None:
        self._path, self._size, self._count = path, size, 0
        code = cv2.VideoWriter.fourcc(*CODEC)
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, frame_rate, size[::-1])
        if not self._writer.isOpened():
            raise OSError(
                f"cannot write the video {path}: OpenCV opens no {CODEC} writer of {size[1]} x {size[0]} "
                f"pixels at {frame_rate:g} frames per second there; the wheels opencv-python and "
                "opencv-python-headless have this codec"
            )

    def write(self, frame: Image8) -> None:
        """Append a frame (H, W, 3) uint8 RGB.

        Raises:
            ValueError: it has another size than the first.
        """
        if frame.shape[:2] != self._size:
            raise ValueError(
                f"frame {self._count + 1} has {frame.shape[1]} x {frame.shape[0]} pixels, the frames before "
                f"it have {self._size[1]} x {self._size[0]}: a video needs frames of one size"
            )
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self._count += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: the file does not hold all frames, because OpenCV does not report errors of the disk.
        """
        self._writer.release()
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        written = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if written != self._count:
            raise OSError(
                f"the video {self._path} holds {written:,} of {self._count:,} frames: is the disk full?"
            )

    def abandon(self) -> None:
        """Stop without finishing the file, which is of no use afterwards."""
        self._writer.release()
