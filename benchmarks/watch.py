"""Score the identities that `reid-gl watch` gives the boxes of a MOT Challenge sequence.

    OMP_NUM_THREADS=1 python benchmarks/watch.py SEQUENCE --weights model.ckpt \
        [--boxes det/det.txt --min-confidence 20]

The sequence needs ground truth. Compares our network's features with colour histograms and random ones, each
with the threshold that `watch` measures on the video, and with DeepSORT (deep-sort-realtime) on the same
detections and our features. "Tracklets" are the links from frame to frame, before the tracklets of a person
are joined. TrackEval computes the scores. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import print_header
from numpy.typing import NDArray
from tracking import (
    Recording,
    histogram_features,
    network_features,
    random_features,
    record,
    score,
    track,
)

from reid_gl.data.mot.read import MotBoxes, load_sequence
from reid_gl.experiment.watch import GAP_SECONDS
from reid_gl.inference.extractor.crops import as_corners
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.tracking.frame_threshold import measure_threshold
from reid_gl.tracking.identities import assign_identities

OURS = "our network"
DEEP_SORT = (0.2, 0.3, 0.4)
"""Appearance thresholds that are tried for DeepSORT; the best IDF1 on this sequence is shown."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequence", type=Path, help="folder with seqinfo.ini, img1/, det/ and gt/")
    parser.add_argument("--weights", required=True, help="a checkpoint")
    parser.add_argument("--boxes", default="det/det.txt", help="in the folder; default: %(default)s")
    parser.add_argument("--min-confidence", type=float, default=-np.inf, help="default: all boxes")
    options = parser.parse_args()
    kinds = {
        OURS: network_features(FeatureExtractor(options.weights, color_order="bgr")),
        "colour histogram": histogram_features,
        "random": random_features(0),
    }
    print_header(f"watch on {options.sequence.name}, boxes of {options.boxes}")
    recording = record(options.sequence, kinds, boxes=options.boxes, min_confidence=options.min_confidence)
    max_gap = max(1, round(GAP_SECONDS * load_sequence(options.sequence).frame_rate))
    people, boxes = len(np.unique(recording.truth.ids)), len(recording.detections)
    print(f"{recording.num_frames} frames, {people} people in {len(recording.truth)} boxes; {boxes} boxes.\n")
    print("| features | threshold | step | number | HOTA | IDF1 | AssA | ID switches |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in kinds:
        _print_rows(recording, kind, max_gap)
    found = [(threshold, track(recording, OURS, threshold)) for threshold in DEEP_SORT]
    threshold, tracks = max(found, key=lambda one: score(recording.truth, one[1], recording.num_frames).idf1)
    print(_row(f"{OURS}, DeepSORT", threshold, "tracks", recording, tracks))


def _print_rows(recording: Recording, kind: str, max_gap: int) -> None:
    """Print the scores of one kind of features, as watch uses them."""
    detections = recording.detections
    rows = recording.features[kind]
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    corners = as_corners(detections.boxes, "tlwh")
    threshold = measure_threshold(detections.frames, corners, unit)
    found = assign_identities(
        detections.frames, corners, unit, track_ids=None, threshold=threshold, max_gap=max_gap
    )
    for step, numbers, nobody in (("tracklets", found.tracklets, -1), ("identities", found.numbers, 0)):
        print(_row(kind, threshold, step, recording, _tracks(detections, numbers, nobody)), flush=True)


def _tracks(detections: MotBoxes, numbers: NDArray[np.int64], nobody: int) -> MotBoxes:
    return replace(detections, ids=numbers).select(numbers != nobody)


def _row(kind: str, threshold: float, step: str, recording: Recording, tracks: MotBoxes) -> str:
    scores = score(recording.truth, tracks, recording.num_frames)
    values = " | ".join(f"{100 * value:.1f}" for value in (scores.hota, scores.idf1, scores.association))
    return (
        f"| {kind} | {threshold:.3f} | {step} | {len(np.unique(tracks.ids))} | {values} | {scores.switches} |"
    )


if __name__ == "__main__":
    main()
