"""Tiny MOT Challenge folders: random pixels, and ground truth as the test wants it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 120, 90
FRAMES, PEOPLE = 4, 6


def write_sequence(folder: Path, truth: Sequence[str] = (), *, num_frames: int = 4) -> Path:
    """A sequence of random images whose gt.txt has these lines."""
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    for frame in range(1, num_frames + 1):
        pixels = np.random.default_rng(frame).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        assert cv2.imwrite(str(folder / "img1" / f"{frame:06d}.jpg"), pixels)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=25\nseqLength={num_frames}\n"
        f"imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n\n"
    )
    (folder / "gt" / "gt.txt").write_text("".join(f"{line}\n" for line in truth))
    return folder


def everybody(first: int = 1) -> list[str]:
    """Six people who stand side by side in all frames."""
    return [
        f"{frame},{first + person},{1 + 20 * person},11,18,40,1,1,1"
        for frame in range(1, FRAMES + 1)
        for person in range(PEOPLE)
    ]


def write_two_cameras(folder: Path) -> Path:
    """Two sequences of these people, the cameras of one place."""
    for name in ("place-c1", "place-c2"):
        write_sequence(folder / name, everybody())
    return folder
