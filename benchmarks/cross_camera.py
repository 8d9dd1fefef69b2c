"""Identities across cameras: link tracklets of rendered sequences by features, time and thresholds.

    python benchmarks/cross_camera.py --weights runs/demo/train/model.ckpt [--seeds 100 101 102]

Tracklets come from the ground truth, split where a person is not visible for a second, so that only the
linking is measured. Features are pooled over the images of a tracklet. The threshold is calibrated at a false
accept rate of 1e-2 on other sequences (seed 99). Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import print_header
from scipy.optimize import linear_sum_assignment

from reid_gl import FeatureExtractor, Features
from reid_gl.data.loading.images import Image8
from reid_gl.data.mot.read import iterate_frames, load_sequence, read_ground_truth
from reid_gl.evaluation.thresholds.measure import calibrate
from reid_gl.inference.color_histogram import color_histogram
from reid_gl.inference.extractor.crops import as_corners, cut_boxes
from reid_gl.synthetic.walks import TRAVEL_SECONDS
from reid_gl.synthetic.write_sequences import SequenceSize, write_sequences
from reid_gl.tracking import Tracklet, associate_tracklets, pool_tracklets

SIZE = SequenceSize(num_cameras=3, num_frames=450, num_people=12)
FALSE_ACCEPTS = 1e-2
LEAST_VISIBLE = 0.3
STRIDE = 3  # every third frame is used
Describe = Callable[[list[Image8]], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="checkpoint trained on synthetic people")
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    options = parser.parse_args()
    extractor = FeatureExtractor(options.weights, color_order="bgr", precision="float32")
    rng = np.random.default_rng(0)
    kinds: dict[str, Describe] = {
        "ours": extractor,
        "colour histograms": lambda crops: np.stack([color_histogram(_tall(crop)) for crop in crops]),
        "random": lambda crops: rng.normal(size=(len(crops), 64)).astype(np.float32),
    }
    print_header("Identities across cameras")
    print(f"{SIZE.num_cameras} cameras, {SIZE.num_frames} frames each, {SIZE.num_people} people.\n")
    print("| features | threshold | " + " | ".join(f"IDF1, seed {seed}" for seed in options.seeds) + " |")
    print("|---" * (2 + len(options.seeds)) + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        films = {seed: film(Path(folder), seed) for seed in (99, *options.seeds)}
        for kind, describe in kinds.items():
            threshold = threshold_of(films[99], describe)
            scores = [score(films[seed], describe, threshold) for seed in options.seeds]
            cells = " | ".join(f"{100 * value:.1f}" for value in scores)
            print(f"| {kind} | {threshold:.3f} | {cells} |", flush=True)


def _tall(crop: Image8) -> Image8:
    """Repeat rows of a crop so that there are enough for the histogram's stripes; BGR to RGB."""
    return np.ascontiguousarray(np.repeat(crop, 1 + 12 // len(crop), axis=0)[..., ::-1])


def film(folder: Path, seed: int) -> list[tuple[int, int, int, Image8]]:
    """Return camera, frame, identity and crop of each person with at least LEAST_VISIBLE visibility."""
    seen = []
    for camid, name in enumerate(write_sequences(folder / str(seed), seed=seed, size=SIZE)):
        sequence = load_sequence(folder / str(seed) / name)
        truth = read_ground_truth(sequence.folder / "gt" / "gt.txt")
        truth = truth.select(truth.visibilities >= LEAST_VISIBLE)
        for frame, image in iterate_frames(sequence):
            rows = truth.rows_of(frame)
            if frame % STRIDE or rows.start == rows.stop:
                continue
            crops = cut_boxes(image, as_corners(truth.boxes[rows], "tlwh"))
            for pid, crop in zip(truth.ids[rows].tolist(), crops, strict=True):
                if crop is not None:
                    seen.append((camid, frame, pid, crop.copy()))
    return seen


def threshold_of(seen: list[tuple[int, int, int, Image8]], describe: Describe) -> float:
    camids, _, pids, crops = zip(*seen, strict=True)
    features = Features(describe(list(crops)), np.array(pids), np.array(camids))
    return calibrate(features, source="sequences of seed 99").threshold(FALSE_ACCEPTS)


def score(seen: list[tuple[int, int, int, Image8]], describe: Describe, threshold: float) -> float:
    """Compute the IDF1 of the identities assigned to all images of all cameras."""
    numbers = tracklet_numbers(seen)
    pooled = pool_tracklets(describe([crop for *_, crop in seen]), numbers)
    tracklets = []
    for number, feature in zip(pooled.ids, pooled.features, strict=True):
        own = [seen[place] for place in np.flatnonzero(numbers == number)]
        tracklets.append(Tracklet(own[0][0], own[0][1], own[-1][1], feature))
    pairs = [(one, other) for other in range(SIZE.num_cameras) for one in range(other)]
    travel = {(one, other): (other - one) * TRAVEL_SECONDS * SIZE.frame_rate for one, other in pairs}
    found = associate_tracklets(tracklets, threshold=threshold, min_travel_times=travel)
    return identity_f1(np.array([pid for _, _, pid, _ in seen]), found[numbers])


def tracklet_numbers(seen: list[tuple[int, int, int, Image8]]) -> np.ndarray:
    """Return the tracklet (M,) of each image: one person in one camera, without a gap above a second."""
    last: dict[tuple[int, int], tuple[int, int]] = {}
    numbers = []
    count = 0
    for camid, frame, pid, _ in seen:
        number, before = last.get((camid, pid), (-1, -(10**9)))
        if frame - before > SIZE.frame_rate:
            number, count = count, count + 1
        last[camid, pid] = (number, frame)
        numbers.append(number)
    return np.array(numbers)


def identity_f1(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the share of images that agree under the best one-to-one match of true and found identities."""
    table = np.zeros((truth.max() + 1, found.max() + 1), int)
    np.add.at(table, (truth, found), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(truth))


if __name__ == "__main__":
    main()
