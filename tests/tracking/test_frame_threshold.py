from __future__ import annotations

import numpy as np
import pytest

from reid_gl.tracking import frame_threshold
from reid_gl.tracking.frame_threshold import measure_threshold

FRAMES = np.repeat(np.arange(1, 101), 3)
BOXES = np.tile([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], (100, 1))


def unit(seed: int, count: int = 300) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 8))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)  # type: ignore[no-any-return]


def literal_pairs(features: np.ndarray, frames: np.ndarray = FRAMES) -> list[float]:
    return [
        1 - features[a] @ features[b]
        for a in range(len(frames))
        for b in range(a + 1, len(frames))
        if frames[a] == frames[b]
    ]


def test_one_percent_of_the_pairs_within_frames_are_not_farther() -> None:
    features = unit(0)
    pairs = sorted(literal_pairs(features))
    threshold = measure_threshold(FRAMES, BOXES, features)
    assert threshold == pytest.approx(pairs[2])  # the third of 300
    assert sum(pair <= threshold + 1e-12 for pair in pairs) == 3


def test_boxes_that_overlap_or_have_no_feature_are_left_out() -> None:
    features, boxes = unit(1), BOXES.copy()
    features[1::3] = features[0::3]  # twice the same person ...
    boxes[1::3] = boxes[0::3] + 3  # ... reported twice
    assert measure_threshold(FRAMES, boxes, features) > 0.05
    features[1::3] = 0
    assert measure_threshold(FRAMES, BOXES, features) > 0.05


def test_of_many_pairs_some_frames_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    features = unit(2)
    monkeypatch.setattr(frame_threshold, "MAX_PAIRS", 150)
    every_other = np.isin(FRAMES, np.arange(1, 101, 2))
    pairs = sorted(literal_pairs(features[every_other], FRAMES[every_other]))
    assert measure_threshold(FRAMES, BOXES, features) == pytest.approx(pairs[1])


def test_too_few_pairs() -> None:
    with pytest.raises(
        ValueError, match=r"only 99 pairs of people .* give a cosine distance with --threshold"
    ):
        measure_threshold(FRAMES[:99], BOXES[:99], unit(3)[:99])
