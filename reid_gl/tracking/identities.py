"""The identity of every box of one camera's video, and how similar it is to the identity's mean feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.tracking.linking import link_boxes
from reid_gl.tracking.tracklets import NO_TRACKLET, Tracklet, associate_tracklets, pool_tracklets

MIN_BOXES = 3
"""A tracklet with fewer boxes is taken for an error of the detector."""


@dataclass(frozen=True, eq=False)
class Identities:
    """Identities of M boxes.

    Attributes:
        numbers: (M,) int64 identities 1, 2, ... by first occurrence; 0 for a box of nobody: outside the
            frame, or of a tracklet with fewer than three boxes.
        similarities: (M,) float64 cosine of the box and the mean feature of its identity; 0 for nobody.
        tracklets: (M,) int64 tracklet of each box, -1 for a box outside the frame.
    """

    numbers: NDArray[np.int64]
    similarities: NDArray[np.float64]
    tracklets: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of identities."""
        return int(self.numbers.max(initial=0))


def assign_identities(
    frames: NDArray[np.int64],
    boxes: NDArray[np.float64],
    features: NDArray[np.floating],
    *,
    track_ids: NDArray[np.int64] | None,
    threshold: float,
    max_gap: int,
) -> Identities:
    """Link boxes to tracklets, and tracklets to identities, by associate_tracklets.

    Args:
        frames: (M,) frame of each box, ascending.
        boxes: (M, 4) x1, y1, x2, y2.
        features: (M, D) of length one; zeros for a box outside the frame.
        track_ids: (M,) numbers of a tracker; None links the boxes, see link_boxes.
        threshold: largest cosine distance within an identity, as of associate_tracklets.
        max_gap: see link_boxes.

    Raises:
        ValueError: a track has two boxes in one frame, or as associate_tracklets.
    """
    if track_ids is None:
        tracklets = link_boxes(frames, boxes, features, threshold=threshold, max_gap=max_gap)
    else:
        _check_once_per_frame(frames, track_ids)
        tracklets = np.where(features.any(axis=1), track_ids, NO_TRACKLET)
    names, firsts, counts = np.unique(tracklets, return_index=True, return_counts=True)
    is_long = (names != NO_TRACKLET) & (counts >= MIN_BOXES)
    order = np.argsort(np.where(is_long, firsts, len(frames)), kind="stable")[: is_long.sum()]
    numbers = _associate(frames, features, tracklets, names[order], threshold)
    return Identities(numbers, _similarities(features, numbers), tracklets)


def _associate(
    frames: NDArray[np.int64],
    features: NDArray[np.floating],
    tracklets: NDArray[np.int64],
    names: NDArray[np.int64],
    threshold: float,
) -> NDArray[np.int64]:
    """Return the identity of each box from the tracklets with these names, in the order of their starts."""
    places = np.full(len(frames), NO_TRACKLET, np.int64)
    ordered = np.argsort(names)
    kept = np.isin(tracklets, names)
    places[kept] = ordered[np.searchsorted(names[ordered], tracklets[kept])]
    pooled = pool_tracklets(features, places)
    ends = np.zeros(len(names), np.int64)
    np.maximum.at(ends, places[kept], frames[kept])
    starts = np.full(len(names), frames.max(initial=0))
    np.minimum.at(starts, places[kept], frames[kept])
    spans = zip(starts.tolist(), ends.tolist(), pooled.features, strict=True)
    groups = associate_tracklets([Tracklet(0, *span) for span in spans], threshold=threshold)
    numbers = np.zeros(len(frames), np.int64)
    numbers[kept] = groups[places[kept]] + 1
    return numbers


def _check_once_per_frame(frames: NDArray[np.int64], track_ids: NDArray[np.int64]) -> None:
    places, counts = np.unique(np.stack([frames, track_ids], axis=1), axis=0, return_counts=True)
    if (counts > 1).any():
        frame, track = places[counts > 1][0]
        raise ValueError(f"track {track} has two boxes in frame {frame}: expected one; correct the box file")


def _similarities(features: NDArray[np.floating], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    means = pool_tracklets(features, np.where(numbers > 0, numbers, NO_TRACKLET))
    similarities = np.zeros(len(numbers))
    known = numbers > 0
    rows = means.features[np.searchsorted(means.ids, numbers[known])]
    similarities[known] = (np.asarray(features, dtype=np.float64)[known] * rows).sum(axis=1)
    return similarities
