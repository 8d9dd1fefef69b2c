"""Features of made-up people for the tests of thresholds."""

from __future__ import annotations

import numpy as np

from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.records import Features
from tests.reference.slow_calibration import (
    slow_labelled_pairs,
)


def made_up(seed: int, *, people: int = 30, cameras: int = 3, per: int = 2, noise: float = 0.7) -> Features:
    """People 1, 2, ... with `per` images in each camera."""
    rng = np.random.default_rng(seed)
    pids = np.repeat(np.arange(1, people + 1), cameras * per)
    camids = np.tile(np.repeat(np.arange(cameras), per), people)
    looks = rng.normal(size=(people + 1, 8))
    return Features((looks[pids] + noise * rng.normal(size=(len(pids), 8))).astype(np.float32), pids, camids)


def messy(seed: int, num: int) -> Features:
    """Junk, distractors, unknown cameras; often equal distances."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (num, 3)) + 0.0
    if seed % 2:
        rows += rng.normal(size=rows.shape)
    rows[:, 0] += 0.5  # never all zero
    return Features(rows.astype(np.float32), rng.integers(-1, 7, num), rng.integers(-1, 2, num))


def of_everything(query: Features, gallery: Features) -> tuple[list[float], list[tuple[float, int, int]]]:
    blocks = distance_blocks(query.embeddings, gallery.embeddings, metric="cosine")
    distances = np.concatenate([block.copy() for block in blocks]).astype(np.float64)
    return slow_labelled_pairs(distances.tolist(), query, gallery)
