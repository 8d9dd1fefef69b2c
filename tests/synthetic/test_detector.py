from __future__ import annotations

import numpy as np
import pytest

from reid_gl.synthetic.detector import detect
from reid_gl.synthetic.film import Seen

WIDTH, HEIGHT = 320, 180


def test_the_detector_is_good_but_not_perfect() -> None:
    rng = np.random.default_rng(0)
    person = Seen(0, (100.0, 40.0, 40.0, 100.0), 1.0)
    frames = [detect([person], WIDTH, HEIGHT, rng) for _ in range(2000)]
    hits = np.array([box for frame in frames for box, confidence in frame if confidence > 0.6])
    assert len(hits) / 2000 == pytest.approx(0.93, abs=0.02)
    assert hits.mean(axis=0) == pytest.approx(person.box, abs=1)
    assert hits.std(axis=0)[:2] == pytest.approx([1.2, 3.0], rel=0.1)
    assert sum(len(frame) for frame in frames) - len(hits) == pytest.approx(240, abs=50)


def test_the_detector_sees_no_hidden_people_and_stays_in_the_frame() -> None:
    rng = np.random.default_rng(0)
    hidden = Seen(0, (100.0, 40.0, 40.0, 100.0), 0.2)
    outside = Seen(1, (-35.0, 100.0, 40.0, 100.0), 0.9)
    for _ in range(500):
        for (left, top, width, height), confidence in detect([hidden, outside], WIDTH, HEIGHT, rng):
            assert min(left, top) >= 0
            assert left + width <= WIDTH + 1e-9
            assert top + height <= HEIGHT + 1e-9
            assert 0 <= confidence <= 1
            assert confidence < 0.5 or left == 0


def test_boxes_are_shuffled_and_the_same_numbers_give_the_same_boxes() -> None:
    people = [Seen(number, (60.0 * number, 20.0, 40.0, 100.0), 1.0) for number in range(4)]
    first, again = (detect(people, WIDTH, HEIGHT, np.random.default_rng(3)) for _ in range(2))
    assert first == again
    frames = [detect(people, WIDTH, HEIGHT, np.random.default_rng(seed)) for seed in range(50)]
    orders = {tuple(round((box[0] + 20) // 60) for box, confidence in frame) for frame in frames}
    assert len(orders) > 10
