from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.inference.bulk.video import VideoEndsError, VideoReader, claimed_frames, count_frames
from tests.made_up_videos import claim_frames, noise_frames, write_long_video, write_video


def test_frames_are_rgb_and_counted_from_one(tmp_path: Path) -> None:
    frames = noise_frames(9)
    path = write_video(tmp_path / "noise.mkv", frames)
    assert count_frames(path) == 9
    reader = VideoReader(path)
    for number in (1, 2, 5, 9):
        assert np.array_equal(reader.read(number), frames[number - 1])
    reader.close()


@pytest.mark.parametrize("claimed", [7, 13])
def test_frames_are_counted_whatever_the_container_claims(
    claimed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "noise.avi", noise_frames(10))
    assert (claimed_frames(path), count_frames(path)) == (10, 10)
    assert not caplog.messages
    claim_frames(path, claimed)
    assert (claimed_frames(path), count_frames(path)) == (claimed, 10)
    assert caplog.messages == [
        f"video {path} has 10 frames, but its container claims {claimed}: "
        "all frames that can be decoded are used"
    ]
    reader = VideoReader(path)
    assert np.array_equal(reader.read(10), noise_frames(10)[9])
    with pytest.raises(
        VideoEndsError,
        match=rf"frame 10, but frame 11 is needed \(its container claims {claimed} frames\)",
    ):
        reader.read(11)


def test_a_container_without_a_number_and_without_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "noise.avi", noise_frames(7))
    readable = 10

    class Silent:
        """Says no number; stops where it is told to."""

        def __init__(self, name: str, backend: int) -> None:
            self._capture, self._left = whole(name, backend), readable

        def get(self, _: int) -> float:
            return -1.0

        def grab(self) -> bool:
            self._left -= 1
            return self._left >= 0 and self._capture.grab()

        def __getattr__(self, name: str) -> object:
            return getattr(self._capture, name)

    whole = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Silent)
    assert count_frames(path) == 7
    assert not caplog.messages
    with pytest.raises(
        VideoEndsError, match="ends after frame 7, but frame 8 is needed: leave out the boxes"
    ):
        VideoReader(path).read(8)
    readable = 0
    with pytest.raises(ValueError, match=r"noise\.avi has no frames that can be decoded"):
        count_frames(path)


def test_a_truncated_video_says_where_it_ends(tmp_path: Path) -> None:
    path = write_video(tmp_path / "noise.avi", noise_frames(20))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(path)
    with pytest.raises(VideoEndsError, match=r"noise\.avi ends after frame 1?\d, but frame 20 is needed"):
        reader.read(20)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc")
def test_the_memory_of_a_long_video_is_that_of_a_few_frames(tmp_path: Path) -> None:
    size = write_long_video(tmp_path / "a.y4m", 150, size=(1080, 1920))
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _kilobytes("VmRSS")
    assert count_frames(tmp_path / "a.y4m") == 150
    assert 1000 * (_kilobytes("VmHWM") - before) < size / 4
    reader = VideoReader(tmp_path / "a.y4m")
    assert reader.read(2).shape == (1080, 1920, 3)
    reader.close()


def _kilobytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"video .*none\.mp4 does not exist"):
        count_frames(tmp_path / "none.mp4")
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(
        ValueError, match=r"text\.mp4 cannot be opened: it is truncated, broken or not a video"
    ):
        VideoReader(path)
