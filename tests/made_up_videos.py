"""Videos and sequences of noise, small and without loss."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from reid_gl.data.loading.images import Image8

FRAME = (48, 64)


def noise_frames(count: int, *, seed: int = 0) -> list[Image8]:
    """Frames (48, 64, 3) RGB."""
    return list(np.random.default_rng(seed).integers(0, 256, (count, *FRAME, 3)).astype(np.uint8))


def write_video(path: Path, frames: list[Image8]) -> Path:
    """FFV1, which keeps every bit."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 25, FRAME[::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def write_long_video(path: Path, count: int, *, size: tuple[int, int]) -> int:
    """Green frames without compression that take no room on the disk; returns the file's size in bytes."""
    height, width = size
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420\n".encode())
        for _ in range(count):
            file.write(b"FRAME\n")
            file.seek(height * width * 3 // 2, 1)
        return file.truncate()


def claim_frames(path: Path, count: int) -> Path:
    """Make the headers of an .avi file claim another number of frames; the frames stay as they are."""
    data = bytearray(path.read_bytes())
    for chunk, place in ((b"avih", 24), (b"strh", 40)):
        struct.pack_into("<I", data, data.index(chunk) + place, count)
    path.write_bytes(data)
    return path


def write_sequence(folder: Path, frames: list[Image8], *, det: str = "", gt: str = "") -> Path:
    """A MOT Challenge sequence with the text of its det.txt and gt.txt."""
    (folder / "img1").mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        name = str(folder / "img1" / f"{number:06d}.png")
        assert cv2.imwrite(name, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=25\nseqLength={len(frames)}\n"
        f"imWidth={FRAME[1]}\nimHeight={FRAME[0]}\nimExt=.png\n"
    )
    for name, text in (("det", det), ("gt", gt)):
        if text:
            (folder / name).mkdir()
            (folder / name / f"{name}.txt").write_text(text)
    return folder
