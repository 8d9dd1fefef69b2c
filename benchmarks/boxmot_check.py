"""Run BoxMOT's BoT-SORT with our features on one MOT Challenge sequence.

    python benchmarks/boxmot_check.py --weights runs/demo/model.ckpt --sequence data/MOT17-02 > MOT17-02.txt

BoxMOT is licensed under the AGPL-3.0. It is not a dependency of this project, which neither installs nor
copies it. If the licence suits you, `pip install boxmot` (written for 25.0) into your own environment.
The sequence is a folder with img1/000001.jpg ... and det/det.txt. Prints MOT Challenge results (frame,
identity, left, top, width, height, confidence, -1, -1, -1); use trackeval to compute their HOTA and IDF1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.tracking import BoxmotFeatures

PERSON = 0


class Tracker(Protocol):
    """The part of a BoxMOT tracker that this script uses."""

    def update(self, detections: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """Map detections (N, 6) to tracks (M, 8): corners, identity, confidence, class, detection."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="checkpoint or exported network")
    parser.add_argument("--sequence", type=Path, required=True, help="folder with img1 and det/det.txt")
    options = parser.parse_args()
    try:
        from boxmot import BotSort
    except ImportError:
        sys.exit("BoxMOT is not installed here (AGPL-3.0): pip install boxmot, if its licence suits you")
    extractor = FeatureExtractor(options.weights, color_order="bgr")
    for line in track(BotSort(reid_model=BoxmotFeatures(extractor)), options.sequence):
        print(line)


def track(tracker: Tracker, sequence: Path) -> Iterator[str]:
    """Yield the result lines of a tracker with BoxMOT's update(detections (N, 6), frame) on a sequence."""
    rows = np.loadtxt(sequence / "det" / "det.txt", delimiter=",", ndmin=2)
    for path in sorted((sequence / "img1").iterdir()):
        number = int(path.stem)
        of_frame = rows[rows[:, 0] == number]
        corners = np.concatenate([of_frame[:, 2:4], of_frame[:, 2:4] + of_frame[:, 4:6]], axis=1)
        classes = np.full((len(of_frame), 1), PERSON)
        detections = np.concatenate([corners, of_frame[:, 6:7], classes], axis=1).astype(np.float32)
        tracks = np.asarray(tracker.update(detections, cv2.imread(str(path)))).reshape(-1, 8)
        for x1, y1, x2, y2, identity, confidence, *_ in tracks.tolist():
            box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
            yield f"{number},{int(identity)},{box},{confidence:.4f},-1,-1,-1"


if __name__ == "__main__":
    main()
