"""Pool the frames of each track into one feature, as video test sets are scored."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.multi_query import check_finite
from reid_gl.evaluation.scores.identities import check_identities
from reid_gl.records import Features
from reid_gl.similarity import unit_rows

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
BLOCK_ROWS = 4096
"""Number of frames normalised at once."""


def pool_tracks(features: Features, tracklets: Ints) -> Features:
    """Replace the frames of each track by one row: the normalised mean of their unit vectors.

    Args:
        features: M frames with identities and cameras; rows are normalised first.
        tracklets: (M,) track number of each frame; a frame with a negative number has no track and stays a
            row of its own.

    Returns:
        One float32 unit row for each track and for each frame without a track, ordered by first frame. Each
        row has the path of its first frame. If the frames of a track are all zeros, or cancel out, its row is
        zero.

    Raises:
        ValueError: shapes disagree, features are not finite, or a track has two identities, cameras, clothes
            or days.

    Source:
        Zheng et al., "MARS: A Video Benchmark for Large-Scale Person Re-identification", ECCV 2016: average
        pooling of a tracklet, here of unit vectors.
    """
    rows = features.embeddings
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"expected features (M, D) of at least one frame, got {rows.shape}")
    if tracklets.shape != (len(rows),) or tracklets.dtype.kind != "i":
        raise ValueError(
            f"expected a whole number for each of {len(rows)} frames, got {tracklets.dtype} {tracklets.shape}"
        )
    if features.paths and len(features.paths) != len(rows):
        raise ValueError(f"expected a path for each of {len(rows)} frames, got {len(features.paths)}")
    pids, camids = check_identities("track", features.pids, features.camids, len(rows))
    check_finite("track", rows)
    firsts, places = _number(tracklets)
    groups = {"identity": pids, "camera": camids, "clothes": features.clothes, "day": features.dates}
    for name, values in groups.items():
        if values is not None:
            _check_agreement(name, values, values[firsts][places], tracklets)
    return Features(
        _mean_directions(rows, places, len(firsts)),
        pids[firsts],
        camids[firsts],
        tuple(features.paths[first] for first in firsts.tolist()) if features.paths else (),
        clothes=None if features.clothes is None else features.clothes[firsts],
        dates=None if features.dates is None else features.dates[firsts],
    )


def _number(tracklets: Ints) -> tuple[Ints, Ints]:
    """Return the first frame of each pooled row (T,), ascending, and the pooled row of each frame (M,)."""
    alone = -1 - np.arange(len(tracklets))
    _, first, inverse = np.unique(
        np.where(tracklets < 0, alone, tracklets), return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse]


def _check_agreement(name: str, values: Ints, expected: Ints, tracklets: Ints) -> None:
    wrong = np.flatnonzero(values != expected)
    if len(wrong):
        frame = wrong[0]
        raise ValueError(
            f"track {tracklets[frame]} has more than one {name}, {expected[frame]} and {values[frame]}: give "
            "every stretch of one identity in one camera a number of its own"
        )


def _mean_directions(rows: Floats, places: Ints, num_pooled: int) -> Floats:
    """Return unit vectors (num_pooled, D); sums suffice, because a sum has the direction of the mean."""
    sums = torch.zeros(num_pooled, rows.shape[1])
    frames = torch.from_numpy(places)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = torch.tensor(rows[start : start + BLOCK_ROWS], dtype=torch.float32)
        sums.index_add_(0, frames[start : start + BLOCK_ROWS], unit_rows(block))
    pooled: Floats = unit_rows(sums).numpy()
    return pooled
