from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.inference.bulk.video import VideoReader, count_frames
from reid_gl.report.video_writer import VideoWriter


def test_a_video_is_written_in_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    writer = VideoWriter(path, (49, 65), 12.5)
    for value in (40, 220):
        writer.write(np.full((49, 65, 3), (value, 60, 20), np.uint8))
    writer.close()
    assert count_frames(path) == 2
    reader = VideoReader(path)
    first, second = reader.read(1), reader.read(2)
    reader.close()
    assert first.shape == (48, 64, 3)  # the odd row and column are cut off
    assert np.abs(first.mean(axis=(0, 1)) - (40, 60, 20)).max() < 8
    assert np.abs(second.mean(axis=(0, 1)) - (220, 60, 20)).max() < 8
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    capture.release()


def test_frames_of_two_sizes(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", (48, 64), 25)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="frame 2 has 32 x 48 pixels, the frames before it have 64 x 48"):
        writer.write(np.zeros((48, 32, 3), np.uint8))
    writer.abandon()


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        OSError, match=r"cannot write the video .*OpenCV opens no mp4v writer of 64 x 48 pixels"
    ):
        VideoWriter(tmp_path / "missing" / "a.mp4", (48, 64), 25)


def test_frames_that_did_not_reach_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    writer = VideoWriter(path, (48, 64), 25)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer._count += 1  # as if OpenCV had silently dropped a frame
    with pytest.raises(OSError, match="holds 1 of 2 frames: is the disk full"):
        writer.close()
