"""Check that Ultralytics' trackers use our features: count their calls, and compare with constant features.

    python benchmarks/ultralytics_check.py --weights runs/demo/model.ckpt --sequence data/MOT17-02

Ultralytics is licensed under the AGPL-3.0. It is not a dependency of this project, which neither installs nor
copies it. If the licence suits you, `pip install ultralytics` into your own environment; no detector is
loaded. The sequence is a folder with img1/000001.jpg ... and det/det.txt. Prints a JSON object for each
tracker: the number of frames with detections, of calls of the encoder, of identities, and of boxes that get
another identity than with constant features. The exit code is 1 if a tracker never requested features.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import yaml

from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.tracking import UltralyticsEncoder

TRACKERS = ("botsort", "deepocsort", "tracktrack")
PERSON = 0


class CountingEncoder(UltralyticsEncoder):
    """Counts its calls; with `constant`, all boxes get the same feature."""

    def __init__(self, extractor: FeatureExtractor, *, constant: bool) -> None:
        super().__init__(extractor)
        self.constant, self.calls = constant, 0

    def __call__(self, img: np.ndarray, dets: np.ndarray) -> list[np.ndarray]:
        self.calls += 1
        features = super().__call__(img, dets)
        return [np.full_like(row, len(row) ** -0.5) for row in features] if self.constant else features


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="checkpoint or exported network")
    parser.add_argument("--sequence", type=Path, required=True, help="folder with img1 and det/det.txt")
    options = parser.parse_args()
    try:
        import ultralytics
        from ultralytics.trackers.track import TRACKER_MAP
    except ImportError:
        sys.exit(
            "Ultralytics is not installed here (AGPL-3.0): pip install ultralytics, if its licence suits you"
        )
    extractor = FeatureExtractor(options.weights, color_order="bgr")
    frames = list(read_sequence(options.sequence))
    num_seen = sum(len(detections) > 0 for _, detections in frames)
    never = False
    for name in TRACKERS:
        if name not in TRACKER_MAP:
            continue
        settings = Path(ultralytics.__file__).parent / "cfg" / "trackers" / f"{name}.yaml"
        calls, ours = track(TRACKER_MAP[name], settings, frames, CountingEncoder(extractor, constant=False))
        _, others = track(TRACKER_MAP[name], settings, frames, CountingEncoder(extractor, constant=True))
        differ = sum(ours.get(place) != others.get(place) for place in ours.keys() | others.keys())
        row = {"version": ultralytics.__version__, "tracker": name, "frames": num_seen, "calls": calls}
        print(json.dumps({**row, "identities": len(set(ours.values())), "boxes_that_differ": differ}))
        never = never or not calls
    return int(never)


def track(
    kind: type, settings: Path, frames: list[tuple[np.ndarray, np.ndarray]], encoder: CountingEncoder
) -> tuple[int, dict[tuple[int, int], int]]:
    """Return the number of encoder calls, and the identity of each (frame, detection) that has one."""
    from ultralytics.engine.results import Boxes
    from ultralytics.utils import IterableSimpleNamespace

    args = IterableSimpleNamespace(**yaml.safe_load(settings.read_text()), device="cpu")
    tracker = kind(args)
    encoder.attach(tracker)
    identities: dict[tuple[int, int], int] = {}
    # identities renumbered from 1 in order of appearance: some releases continue counting across trackers
    numbers: dict[int, int] = {}
    for number, (frame, detections) in enumerate(frames):
        tracks = np.asarray(tracker.update(Boxes(detections, frame.shape[:2]), frame))
        for row in tracks.reshape(-1, 8).tolist():  # corners, identity, score, class, detection
            identities[number, int(row[7])] = numbers.setdefault(int(row[4]), len(numbers) + 1)
    return encoder.calls, identities


def read_sequence(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield frames with their detections (N, 6): corners, confidence, class."""
    rows = np.loadtxt(folder / "det" / "det.txt", delimiter=",", ndmin=2)
    for path in sorted((folder / "img1").iterdir()):
        of_frame = rows[rows[:, 0] == int(path.stem)]
        corners = np.concatenate([of_frame[:, 2:4], of_frame[:, 2:4] + of_frame[:, 4:6]], axis=1)
        classes = np.full((len(of_frame), 1), PERSON)
        frame = cv2.imread(str(path))
        assert frame is not None
        yield frame, np.concatenate([corners, of_frame[:, 6:7], classes], axis=1).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
