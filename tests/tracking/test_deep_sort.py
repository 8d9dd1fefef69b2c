from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.tracking import DeepSortEncoder
from tests.tracking.coloured_people import make_extractor, noise_frame


def _generate_detections(encoder: Any, rows: np.ndarray, frames: dict[int, np.ndarray]) -> list[np.ndarray]:
    """Frame by frame: boxes are columns 2 to 5, the feature is put behind the row."""
    written = []
    for number in range(int(rows[:, 0].min()), int(rows[:, 0].max()) + 1):
        of_frame = rows[rows[:, 0] == number]
        features = encoder(frames[number], of_frame[:, 2:6].copy())
        written += [np.r_[row, feature] for row, feature in zip(of_frame, features, strict=True)]
    return written


def test_the_generator_of_detections_gets_a_row_for_each_box() -> None:
    rows = np.full((5, 10), -1.0)
    rows[:, 0] = [1, 1, 3, 3, 3]  # nobody in frame 2
    rows[:, 2:6] = [
        [10, 20, 20, 50],
        [-5, -5, 30, 40],
        [60, 10, 30, 80],
        [300, 10, 9, 9],
        [60.7, 10.2, 30, 80],
    ]
    frames = {number: noise_frame(number) for number in (1, 2, 3)}
    written = np.stack(_generate_detections(DeepSortEncoder(make_extractor()), rows, frames))
    assert written.shape == (5, 34)
    assert np.array_equal(written[:, :10], rows)
    assert np.linalg.norm(written[:, 10:], axis=1) == pytest.approx(1.0, abs=1e-6)
    crop = make_extractor()([frames[1][0:35, 0:25]])[0]
    assert np.array_equal(written[1, 10:].astype(np.float32), crop)


def test_what_stands_beside_the_box_does_not_count() -> None:
    """The one difference to deep_sort, which would widen this box to the shape of the network's input."""
    encoder, frame = DeepSortEncoder(make_extractor()), noise_frame()
    other = 255 - frame
    other[20:80, 50:56] = frame[20:80, 50:56]
    assert np.array_equal(encoder(frame, [[50, 20, 6, 60]]), encoder(other, [[50, 20, 6, 60]]))
