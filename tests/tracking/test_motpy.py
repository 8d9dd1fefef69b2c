from __future__ import annotations

import numpy as np
import pytest
from motpy import Detection, MultiObjectTracker

from reid_gl.tracking import MotpyFeatures
from tests.tracking.coloured_people import ConstantRuntime, Scene, make_extractor, noise_frame, walk

NUM_FRAMES = 30


def _track(scenes: list[Scene], features: MotpyFeatures) -> list[dict[str, str]]:
    """Run the tracker; for each frame, the track that stands where each person does."""
    tracker = MultiObjectTracker(
        dt=0.1,
        tracker_kwargs={"max_staleness": 20},
        matching_fn_kwargs={"feature_similarity_beta": 0.0},
    )
    history = []
    for frame, people in scenes:
        boxes = [person.box for person in people]
        rows = zip(boxes, features(frame, boxes), strict=True)
        tracks = tracker.step([Detection(np.array(box, float), 0.9, feature=row) for box, row in rows])
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
