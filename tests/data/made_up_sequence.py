"""Tiny MOT Challenge folders: random pixels, and ground truth as the test wants it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 120, 90


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
