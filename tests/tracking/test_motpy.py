from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from motpy import Detection, MultiObjectTracker

from reid_gl.tracking import MotpyFeatures
from tests.tracking.coloured_people import ConstantRuntime, Scene, make_extractor, noise_frame, walk

NUM_FRAMES = 30


def _track(
    scenes: list[Scene], features: MotpyFeatures, tracker: MultiObjectTracker | None = None
) -> list[dict[str, str]]:
    """Run the tracker; for each frame, the track that stands where each person does."""
    tracker = tracker or MultiObjectTracker(
        dt=0.1,
        tracker_kwargs={"max_staleness": 20},
        matching_fn_kwargs={"feature_similarity_beta": 0.0},
    )
    history = []
    for frame, people in scenes:
        boxes = [person.box for person in people]
        rows = zip(boxes, features(frame, boxes), strict=True)
        found = [Detection(np.array(box, float), 0.9, feature=row) for box, row in rows]
        tracks = features.step(tracker, found)
        near = {
            person.name: track.id
            for person in people
            for track in tracks
            if np.abs(track.box - np.array(person.box)).max() < 4
        }
        history.append(near)
    return history


@pytest.mark.parametrize(("speed", "num_hidden"), [(2, 6), (3, 4)])
def test_identities_turn_round_with_features_and_swap_without(speed: int, num_hidden: int) -> None:
    """Two people meet, overlap out of sight, and go back: their motion says that they went on."""
    steps = [speed * abs(number - NUM_FRAMES // 2) for number in range(NUM_FRAMES)]
    middle = NUM_FRAMES // 2 - num_hidden // 2
    hidden = range(middle, middle + num_hidden)
    scenes = walk([100 - step for step in steps], [110 + step for step in steps], hidden=hidden)
    history = _track(scenes, MotpyFeatures(make_extractor()))
    assert set(history[8]) == {"red", "blue"}
    assert history[-1] == history[8]
    swapped = _track(scenes, MotpyFeatures(make_extractor(ConstantRuntime())))
    assert swapped[-1] == {"red": swapped[8]["blue"], "blue": swapped[8]["red"]}


class _Newcomers(MultiObjectTracker):
    """Counts the matchings in which a track has no feature, which drops those of the whole frame."""

    without, matchings = 0, 0

    def step(self, detections: list[Detection]) -> list[Any]:
        self.matchings += bool(self.trackers) and bool(detections)
        self.without += any(track.feature is None for track in self.trackers)
        return super().step(detections)


def test_new_tracks_have_their_detections_feature_at_once() -> None:
    """Somebody new in every second frame, and two in one place."""
    settings = {"dt": 0.1, "matching_fn_kwargs": {"feature_similarity_beta": 0.0}}
    features, frame = MotpyFeatures(make_extractor()), noise_frame()
    tracker, plain = _Newcomers(**settings), _Newcomers(**settings)
    for number in range(10):
        boxes = np.array(
            [[20 * k, 20, 20 * k + 15, 70] for k in range(number // 2 + 1)] + [[0, 20, 15, 70]], float
        )
        rows = features(frame, boxes)
        found = [Detection(box, 0.9, feature=row) for box, row in zip(boxes, rows, strict=True)]
        features.step(tracker, found)
        plain.step(found)
        assert all(any(np.allclose(track.feature, row) for row in rows) for track in tracker.trackers)
    assert (tracker.matchings, tracker.without) == (9, 0)
    assert plain.without > 3
    assert features.step(tracker, []) is not None


def test_detections_without_features_are_tracked_as_ever() -> None:
    tracker = MultiObjectTracker(dt=0.1)
    found = [Detection(np.array([10, 20, 30, 70], float), 0.9), Detection(None, 0.9)]
    features = MotpyFeatures(make_extractor())
    for _ in range(3):
        tracks = features.step(tracker, found)
    assert len(tracks) == 1
    assert tracker.trackers[0].feature is None


def test_a_box_outside_does_not_stop_the_tracker() -> None:
    """A row of zeros would: its cosine is NaN, which no assignment takes."""
    tracker = MultiObjectTracker(dt=0.1, matching_fn_kwargs={"feature_similarity_beta": 0.0})
    features = MotpyFeatures(make_extractor())
    boxes = np.array([[10, 20, 30, 70], [400, 20, 420, 70]], float)
    for seed in range(4):
        rows = features(noise_frame(seed), boxes)
        tracks = tracker.step(
            [Detection(box, 0.9, feature=row) for box, row in zip(boxes, rows, strict=True)]
        )
    assert len(tracks) == 2
    assert tracker.step([]) != []
