"""Compare three kinds of features in one tracker, on rendered sequences.

    OMP_NUM_THREADS=1 python benchmarks/tracking.py --weights runs/demo/train/model.ckpt [--seeds 100 ...]

The tracker is DeepSORT (deep-sort-realtime); TrackEval computes the scores. For each kind of features, the
appearance threshold with the best IDF1 is chosen on sequences of other people; then the tracker runs once
on the sequences of every seed. The features "true identity" use the ground truth and show the upper limit of
the tracker. Prints a Markdown page for docs/benchmarks/. Use one thread, because the tracker solves many tiny
linear systems.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from deep_sort_realtime.deepsort_tracker import DeepSort
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity

from reid_gl.data.loading.images import Image8
from reid_gl.data.mot.read import MotBoxes, iterate_frames, load_sequence, read_detections, read_ground_truth
from reid_gl.inference.color_histogram import color_histogram
from reid_gl.inference.extractor.crops import as_corners, cut_boxes
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.synthetic.write_sequences import SequenceSize, write_sequences

Floats = NDArray[np.float32]
FeaturesOf = Callable[[Image8, NDArray[np.float64]], Floats]
"""Maps a BGR frame and (N, 4) boxes (left, top, width, height) to (N, D) features."""

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.01)
"""Cosine distances that are tried as the largest distance between features of the same person."""
CONFIDENCE = 0.5
"""Detections below it are not tracked."""
MAX_AGE = 90
"""Frames after which the tracker forgets a person."""
MIN_IOU = 0.5


@dataclass(frozen=True)
class Recording:
    """One sequence with everything the tracker needs.

    Attributes:
        num_frames: number of frames.
        truth: ground-truth boxes.
        detections: M detected boxes.
        features: kind of features to (M, D), one row per detection.
    """

    num_frames: int
    truth: MotBoxes
    detections: MotBoxes
    features: dict[str, Floats]


@dataclass(frozen=True)
class TrackingScores:
    """Scores of tracks, all but the last in [0, 1].

    Attributes:
        hota: mean over IoU thresholds of the geometric mean of detection and association.
        idf1: F1 of detections under the best one-to-one match of tracks and people.
        association: AssA, the association part of HOTA.
        switches: number of times a person's track changes.
    """

    hota: float
    idf1: float
    association: float
    switches: int


def network_features(extractor: FeatureExtractor) -> FeaturesOf:
    """Return a function that computes the features of our extractor."""
    return lambda frame, boxes: extractor.extract(frame, boxes, box_format="tlwh").features


def random_features(seed: int, dimension: int = 128) -> FeaturesOf:
    """Return a function that draws random features, which say nothing about the person."""
    rng = np.random.default_rng(seed)
    return lambda _, boxes: rng.standard_normal((len(boxes), dimension)).astype(np.float32)


def histogram_features(frame: Image8, boxes: NDArray[np.float64]) -> Floats:
    """Compute colour histograms of twelve stripes, as reid-gl color-histogram does."""
    size = (64, 128)
    crops = cut_boxes(frame, as_corners(boxes, "tlwh"))
    rows = [
        color_histogram(cv2.cvtColor(cv2.resize(crop, size), cv2.COLOR_BGR2RGB))
        for crop in crops
        if crop is not None
    ]
    return np.stack(rows) if rows else np.empty((0, 1), np.float32)


def record(
    folder: Path,
    kinds: dict[str, FeaturesOf],
    *,
    boxes: str = "det/det.txt",
    min_confidence: float = CONFIDENCE,
) -> Recording:
    """Read a sequence and compute every kind of features of its detections."""
    sequence = load_sequence(folder)
    truth = read_ground_truth(folder / "gt" / "gt.txt", num_frames=sequence.num_frames)
    detections = read_detections(folder / boxes, num_frames=sequence.num_frames)
    detections = detections.select(detections.confidences >= min_confidence)
    rows: dict[str, list[Floats]] = {name: [] for name in kinds}
    for number, frame in iterate_frames(sequence):
        here = detections.boxes[detections.rows_of(number)]
        for name, features_of in kinds.items():
            if len(here):
                rows[name].append(features_of(frame, here))
    features = {name: np.concatenate(parts) for name, parts in rows.items()}
    return Recording(sequence.num_frames, truth, detections, features)


def true_features(recording: Recording) -> Floats:
    """Return features from the ground truth: orthogonal for different people and for false detections."""
    count = len(recording.detections)
    features = np.eye(count, count + int(recording.truth.ids.max()) + 1, dtype=np.float32)
    for frame in range(1, recording.num_frames + 1):
        rows, people = recording.detections.rows_of(frame), recording.truth.rows_of(frame)
        overlaps = box_overlaps(recording.detections.boxes[rows], recording.truth.boxes[people])
        for place, row in enumerate(overlaps):
            if row.max(initial=0.0) >= MIN_IOU:
                features[rows.start + place] = 0
                features[rows.start + place, count + recording.truth.ids[people][row.argmax()]] = 1
    return features


def track(recording: Recording, kind: str, max_cosine_distance: float) -> MotBoxes:
    """Run DeepSORT with one kind of features over one sequence."""
    tracker = DeepSort(
        embedder=None,
        max_cosine_distance=max_cosine_distance,
        max_age=MAX_AGE,
        n_init=2,
        nn_budget=60,
        gating_only_position=True,  # the box of a walking person changes its shape with every step
    )
    found: list[tuple[int, int, NDArray[np.float64]]] = []
    for frame in range(1, recording.num_frames + 1):
        rows = recording.detections.rows_of(frame)
        boxes = recording.detections.boxes[rows].tolist()
        raw = [
            (box, confidence, "person")
            for box, confidence in zip(boxes, recording.detections.confidences[rows], strict=True)
        ]
        for person in tracker.update_tracks(raw, embeds=list(recording.features[kind][rows])):
            if person.is_confirmed() and person.time_since_update == 0:
                found.append((frame, int(person.track_id), person.to_ltwh(orig=True)))
    return MotBoxes(
        frames=np.array([frame for frame, _, _ in found], dtype=np.int64),
        ids=np.array([identity for _, identity, _ in found], dtype=np.int64),
        boxes=np.array([box for _, _, box in found], dtype=np.float64).reshape(-1, 4),
        confidences=np.ones(len(found)),
        classes=np.ones(len(found), dtype=np.int64),
        visibilities=np.ones(len(found)),
    )


def score(truth: MotBoxes, tracks: MotBoxes, num_frames: int) -> TrackingScores:
    """Compute HOTA, IDF1, AssA and identity switches of one sequence with TrackEval."""
    frames = [(truth.rows_of(frame), tracks.rows_of(frame)) for frame in range(1, num_frames + 1)]
    true_ids, num_people = _number_from_zero(truth.ids)
    track_ids, num_tracks = _number_from_zero(tracks.ids)
    data = {
        "num_timesteps": num_frames,
        "num_gt_ids": num_people,
        "num_tracker_ids": num_tracks,
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(tracks),
        "gt_ids": [true_ids[here] for here, _ in frames],
        "tracker_ids": [track_ids[there] for _, there in frames],
        "similarity_scores": [box_overlaps(truth.boxes[h], tracks.boxes[t]) for h, t in frames],
    }
    hota = HOTA().eval_sequence(data)
    return TrackingScores(
        hota=float(np.mean(hota["HOTA"])),
        idf1=float(Identity({"THRESHOLD": MIN_IOU, "PRINT_CONFIG": False}).eval_sequence(data)["IDF1"]),
        association=float(np.mean(hota["AssA"])),
        switches=int(CLEAR({"THRESHOLD": MIN_IOU, "PRINT_CONFIG": False}).eval_sequence(data)["IDSW"]),
    )


def box_overlaps(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union (N, M) of boxes (left, top, width, height)."""
    first, second = as_corners(one, "tlwh")[:, None], as_corners(other, "tlwh")[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=2)
    areas = [np.prod(boxes[:, 2:], axis=1) for boxes in (one, other)]
    overlaps: NDArray[np.float64] = shared / (areas[0][:, None] + areas[1][None] - shared)
    return overlaps


def _number_from_zero(ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    names, numbers = np.unique(ids, return_inverse=True)
    return numbers.astype(np.int64), len(names)


def mean_idf1(recordings: Sequence[Recording], kind: str, max_cosine_distance: float) -> float:
    """Return the mean IDF1 over sequences."""
    scores = [score(r.truth, track(r, kind, max_cosine_distance), r.num_frames).idf1 for r in recordings]
    return float(np.mean(scores))


def choose_threshold(
    recordings: Sequence[Recording], kind: str, thresholds: Sequence[float] = THRESHOLDS
) -> float:
    """Return the appearance threshold with the best IDF1 for one kind of features."""
    return max(thresholds, key=lambda threshold: mean_idf1(recordings, kind, threshold))


def render_and_record(
    folder: Path, seeds: Sequence[int], size: SequenceSize, kinds: dict[str, FeaturesOf]
) -> list[Recording]:
    """Render and record the sequences of all seeds and cameras."""
    recordings = []
    for seed in seeds:
        for name in write_sequences(folder / str(seed), seed=seed, size=size):
            recordings.append(record(folder / str(seed) / name, kinds))
    return recordings


def main() -> None:
    from machine import print_header

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="a checkpoint, such as runs/demo/train/model.ckpt")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[100, 101, 102, 103], help="seeds of the test sequences"
    )
    parser.add_argument(
        "--calibration-seeds",
        type=int,
        nargs="+",
        default=[90, 91],
        help="seeds of the sequences to choose thresholds on",
    )
    options = parser.parse_args()
    size = SequenceSize()
    kinds = {
        "our network": network_features(FeatureExtractor(options.weights, color_order="bgr")),
        "colour histogram": histogram_features,
        "random": random_features(0),
    }
    print_header("Features in a tracker")
    with tempfile.TemporaryDirectory() as folder:
        chosen_with = render_and_record(Path(folder), options.calibration_seeds, size, kinds)
        recordings = render_and_record(Path(folder), options.seeds, size, kinds)
    for recording in (*chosen_with, *recordings):
        recording.features["true identity"] = true_features(recording)
    print(f"{len(recordings)} sequences of {size.num_frames} frames, {size.num_people} people each.\n")
    print("| features | threshold | HOTA | IDF1 | AssA | ID switches | IDF1 of each sequence |")
    print("|---|---|---|---|---|---|---|")
    for kind in (*kinds, "true identity"):
        threshold = choose_threshold(chosen_with, kind)
        scores = [score(r.truth, track(r, kind, threshold), r.num_frames) for r in recordings]
        print(_table_row(kind, threshold, scores), flush=True)


def _table_row(kind: str, threshold: float, scores: list[TrackingScores]) -> str:
    means = [np.mean([getattr(s, name) for s in scores]) for name in ("hota", "idf1", "association")]
    cells = " | ".join(f"{100 * mean:.1f}" for mean in means)
    each = " ".join(f"{100 * s.idf1:.0f}" for s in scores)
    return f"| {kind} | {threshold} | {cells} | {sum(s.switches for s in scores)} | {each} |"


if __name__ == "__main__":
    main()
