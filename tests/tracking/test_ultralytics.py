from __future__ import annotations

import numpy as np
import pytest

from reid_gl.tracking import UltralyticsEncoder
from tests.tracking.coloured_people import make_extractor, noise_frame


@pytest.mark.parametrize("extra", [1, 2], ids=["index", "rotation and index"])
def test_the_tracker_makes_a_track_of_each_box_and_divides_in_place(extra: int) -> None:
    extractor, frame = make_extractor(), noise_frame()
    centres = np.array([[20, 45, 20, 50], [75, 50, 30, 80], [400, 40, 10, 10]], np.float32)
    boxes = np.concatenate([centres, np.zeros((3, extra - 1)), np.arange(3)[:, None]], axis=-1)
    tracks = []
    for box, feature in zip(boxes, UltralyticsEncoder(extractor)(frame, boxes), strict=True):
        length = np.linalg.norm(feature)
        if length > 0:  # zeros are "no appearance"
            feature /= length
        tracks.append((int(box[-1]), feature))
    assert [index for index, _ in tracks] == [0, 1, 2]
    expected = extractor.extract(frame, [[10, 20, 30, 70], [60, 10, 90, 90]]).features
    assert np.stack([feature for _, feature in tracks[:2]]) == pytest.approx(expected, abs=1e-6)
    assert tracks[2][1].tolist() == [0.0] * 24
