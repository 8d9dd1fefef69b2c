"""Links the detections of one camera to tracklets, from frame to frame, by overlap and appearance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from reid_gl.tracking.tracklets import NO_TRACKLET

MIN_OVERLAP = 0.3
"""Smallest intersection over union of a detection and the expected place of a tracklet."""
FORBIDDEN = 1e6
NEW_WEIGHT = 0.3
"""Weight of the newest detection in the feature of a tracklet, which forgets older ones."""

Floats = NDArray[np.float64]


@dataclass
class _Live:
    """A tracklet that may continue: last frame, corners (4,), corners per frame (4,), feature (D,)."""

    number: int
    frame: int
    box: Floats
    speed: Floats
    feature: Floats

    def expected(self, frame: int) -> Floats:
        return self.box + (frame - self.frame) * self.speed

    def extend(self, frame: int, box: Floats, feature: Floats) -> None:
        self.speed = 0.5 * self.speed + 0.5 * (box - self.box) / (frame - self.frame)
        mean = (1 - NEW_WEIGHT) * self.feature + NEW_WEIGHT * feature
        self.frame, self.box, self.feature = frame, box, mean / max(float(np.linalg.norm(mean)), 1e-12)


def link_boxes(
    frames: NDArray[np.int64],
    boxes: Floats,
    features: NDArray[np.floating],
    *,
    threshold: float,
    max_gap: int,
) -> NDArray[np.int64]:
    """Return the tracklet of each detection, using only detections of the same and earlier frames.

    A detection continues a tracklet if it overlaps the place where the tracklet is expected, at constant
    speed, and looks like it. Of all such pairs in a frame, those with the smallest sum of missing overlap and
    distance are taken (the Hungarian algorithm). All other detections begin tracklets. Where people cross,
    tracklets rather break than go on with another person; associate_tracklets puts the parts together.

    Args:
        frames: (M,) frame of each detection, ascending.
        boxes: (M, 4) x1, y1, x2, y2.
        features: (M, D) of length one; zeros for a detection without a feature, which is left out.
        threshold: largest cosine distance between a detection and the tracklet's mean feature.
        max_gap: number of frames after which a tracklet without a detection ends, at least 1.

    Returns:
        (M,) int64 tracklets 0, 1, ... in the order of their first detections; -1 without a feature.
    """
    numbers = np.full(len(frames), NO_TRACKLET, np.int64)
    rows = np.asarray(features, dtype=np.float64)
    usable: NDArray[np.bool_] = np.asarray(rows.any(axis=1))
    live: list[_Live] = []
    count = 0
    for frame, here in rows_by_frame(frames, usable):
        live = [track for track in live if frame - track.frame <= max_gap]
        matched = _match(live, frame, boxes[here], rows[here], threshold)
        for place, row in enumerate(here.tolist()):
            track = matched.get(place)
            if track is None:
                track = _Live(count, frame, boxes[row], np.zeros(4), rows[row])
                live.append(track)
                count += 1
            else:
                track.extend(frame, boxes[row], rows[row])
            numbers[row] = track.number
    return numbers


def rows_by_frame(
    frames: NDArray[np.int64], usable: NDArray[np.bool_]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each frame that has usable rows, with their numbers; frames (M,) ascend."""
    rows = np.flatnonzero(usable)
    numbers, firsts = np.unique(frames[rows], return_index=True)
    yield from zip(numbers.tolist(), np.split(rows, firsts[1:]), strict=False)


def overlaps(first: Floats, second: Floats) -> Floats:
    """Return intersection over union (A, B) of boxes (A, 4) and (B, 4); 0 if both boxes are empty."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [np.clip(side[:, 2:] - side[:, :2], 0.0, None).prod(axis=1) for side in (first, second)]
    total = areas[0][:, None] + areas[1][None, :] - shared
    ratio: Floats = np.where(total > 0, shared / np.where(total > 0, total, 1.0), 0.0)
    return ratio


def _match(
    live: list[_Live], frame: int, boxes: Floats, features: Floats, threshold: float
) -> dict[int, _Live]:
    """Return the tracklet that each detection of a frame continues, by place among the detections."""
    if not live:
        return {}
    overlap = overlaps(boxes, np.stack([track.expected(frame) for track in live]))
    distance = 1.0 - features @ np.stack([track.feature for track in live]).T
    allowed = (overlap >= MIN_OVERLAP) & (distance <= threshold)
    costs = np.where(allowed, 1.0 - overlap + distance, FORBIDDEN)
    pairs = zip(*linear_sum_assignment(costs), strict=True)
    return {int(place): live[track] for place, track in pairs if allowed[place, track]}
