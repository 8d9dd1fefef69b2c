from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.tracking import BotSortEncoder
from tests.tracking.coloured_people import make_extractor, noise_frame


def _update(encoder: Any, frame: np.ndarray, output: np.ndarray, threshold: float = 0.6) -> list[np.ndarray]:
    """Keep the confident boxes, describe them, and give each track its feature, divided in place."""
    boxes, scores = output[:, :4], output[:, 4]
    kept = boxes[scores > threshold] if len(output) else []
    features = encoder.inference(frame, kept)
    smooth = []
    for _, feature in zip(kept, features, strict=True):
        feature /= np.linalg.norm(feature)
        average = 0.9 * feature + 0.1 * feature
        smooth.append(average / np.linalg.norm(average))
    return smooth


def test_the_tracker_keeps_its_confident_boxes_apart() -> None:
    extractor, frame = make_extractor(), noise_frame()
    output = np.array(
        [
            [10, 20, 30, 70, 0.9, 1],
            [0, 0, 20, 20, 0.2, 1],
            [60, 10, 90, 90, 0.8, 1],
            [500, 0, 510, 50, 0.7, 1],
        ]
    )
    smooth = _update(BotSortEncoder(extractor), frame, output)
    expected = extractor.extract(frame, output[[0, 2], :4]).features
    assert np.stack(smooth[:2]) == pytest.approx(expected, abs=1e-6)
    assert smooth[2] == pytest.approx(extractor.embed_black(), abs=1e-6)
    assert _update(BotSortEncoder(extractor), frame, np.empty((0, 6))) == []
