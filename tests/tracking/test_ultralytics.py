from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reid_gl.data.loading.images import Image8
from reid_gl.tracking import UltralyticsEncoder
from tests.tracking.coloured_people import ConstantRuntime, make_extractor, noise_frame, walk


class _Tracker:
    """What trackers of Ultralytics do with an encoder, by their documentation: only whom, and when, they ask.

    From 8.4.100 on, an encoder is passed over while `args.model` is "auto", the default. Those who look
    alike are joined, and where nobody has features, the boxes are, in the order in which they come.
    """

    def __init__(self, *, asks_auto_models: bool) -> None:
        self.args = SimpleNamespace(with_reid=False, model="auto")
        self.encoder: Any = None
        self._asks_auto_models, self._known = asks_auto_models, np.zeros((0, 0))

    def update(self, boxes: np.ndarray, img: Image8) -> list[int]:
        """The identity of each box (centre, width, height)."""
        passes_over = self.args.model == "auto" and not self._asks_auto_models
        if not self.args.with_reid or self.encoder is None or passes_over or not len(boxes):
            return list(range(len(boxes)))
        indexed = np.concatenate([boxes, np.arange(len(boxes))[:, None]], axis=1)
        features = np.stack(self.encoder(img, indexed))
        if not self._known.size:
            self._known = features
        return np.argmax(features @ self._known.T, axis=1).tolist()


class _Counting(UltralyticsEncoder):
    calls = 0

    def __call__(self, img: Image8, dets: Any) -> list[np.ndarray]:
        self.calls += 1
        return super().__call__(img, dets)


def _as_centres(box: tuple[int, int, int, int]) -> list[float]:
    x1, y1, x2, y2 = box
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


@pytest.mark.parametrize("asks_auto_models", [True, False], ids=["8.4.92", "8.4.190"])
def test_the_tracker_asks_once_a_frame_and_tells_people_apart(asks_auto_models: bool) -> None:
    scenes = walk(range(10, 200, 10), range(200, 10, -10), hidden=range(5, 7))  # they pass each other
    names = {}
    for constant in (False, True):
        tracker = _Tracker(asks_auto_models=asks_auto_models)
        encoder = _Counting(make_extractor(ConstantRuntime() if constant else None))
        encoder.attach(tracker)
        found = [
            tracker.update(np.array([_as_centres(person.box) for person in people]).reshape(-1, 4), frame)
            for frame, people in scenes
        ]
        assert encoder.calls == sum(bool(people) for _, people in scenes) == 17
        whose = {
            (person.name, number)
            for (_, people), numbers in zip(scenes, found, strict=True)
            for person, number in zip(people, numbers, strict=True)
        }
        names[constant] = whose
    assert names[False] == {("red", 0), ("blue", 1)}
    assert names[True] == {("red", 0), ("blue", 0)}


def test_an_encoder_that_is_only_assigned_is_passed_over_from_8_4_100_on() -> None:
    tracker = _Tracker(asks_auto_models=False)
    tracker.args.with_reid, tracker.encoder = True, _Counting(make_extractor())
    tracker.update(np.array([[20.0, 45, 20, 50]]), noise_frame())
    assert tracker.encoder.calls == 0


def test_a_tracker_without_appearance_is_refused() -> None:
    with pytest.raises(TypeError, match=r"SimpleNamespace uses no appearance: expected .*botsort\.yaml"):
        UltralyticsEncoder(make_extractor()).attach(SimpleNamespace(args=SimpleNamespace()))


@pytest.mark.parametrize("corners", [[50, 20, 80, 70], [2, 3, 32, 63]])
def test_with_a_margin_the_crop_is_wider_as_ultralytics_cuts_it(corners: list[int]) -> None:
    extractor, frame = make_extractor(), noise_frame()
    x1, y1, x2, y2 = corners
    wide, tall = 1.02 * (x2 - x1) + 10, 1.02 * (y2 - y1) + 10
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    wider = [[cx - wide / 2, cy - tall / 2, cx + wide / 2, cy + tall / 2]]
    (row,) = UltralyticsEncoder(extractor, margin=True)(frame, [_as_centres((x1, y1, x2, y2))])
    assert np.array_equal(row, extractor.extract(frame, wider).features[0])
    (row,) = UltralyticsEncoder(extractor)(frame, [_as_centres((x1, y1, x2, y2))])
    assert np.array_equal(row, extractor.extract(frame, [corners]).features[0])
    assert UltralyticsEncoder(extractor, margin=True)(frame, np.zeros((0, 5))) == []


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
