from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from deep_sort_realtime.deepsort_tracker import DeepSort

from reid_gl.tracking import DeepSortRealtimeEmbedder
from tests.tracking.coloured_people import (
    ColourRuntime,
    ConstantRuntime,
    Person,
    Scene,
    make_extractor,
    noise_frame,
    paint,
    walk,
)

NUM_FRAMES = 30
DETECTIONS: list[tuple[list[float], float, str]] = [
    ([10, 20, 20, 50], 0.9, "first"),
    ([30, 30, 0, 50], 0.9, "no width"),
    ([60, 10, 30, 80], 0.9, "second"),
    ([30, 30, 10, -5], 0.9, "negative height"),
    ([400, 10, 20, 40], 0.9, "outside"),
    ([30, 30, float("nan"), 9], 0.9, "broken"),
    ([100, 40, 25, 60], 0.9, "third"),
]


def _raw(people: list[Person]) -> list[tuple[list[int], float, str]]:
    return [([x1, y1, x2 - x1, y2 - y1], 0.9, name) for name, (x1, y1, x2, y2) in people]


def _track(scenes: list[Scene], embedder: Any, *, cuts_itself: bool) -> list[dict[str, str]]:
    """Run the tracker; for each frame, which track each person's detection went to."""
    tracker = DeepSort(embedder=None, n_init=2)
    tracker.embedder = embedder
    history = []
    for frame, people in scenes:
        raw = _raw(people)
        given = {"frame": frame} if cuts_itself else {"embeds": embedder.embed(frame, raw)}
        tracks = tracker.update_tracks(raw, **given)
        seen = [track for track in tracks if track.is_confirmed() and track.time_since_update == 0]
        history.append({track.get_det_class(): track.track_id for track in seen})
    return history


@pytest.mark.parametrize("cuts_itself", [True, False])
@pytest.mark.parametrize("speed", [1, 2, 3, 4])
@pytest.mark.parametrize("num_hidden", [0, 4])
def test_identities_cross_with_features_and_swap_without(
    cuts_itself: bool, speed: int, num_hidden: int
) -> None:
    steps = [speed * (number - NUM_FRAMES // 2) for number in range(NUM_FRAMES)]
    middle = NUM_FRAMES // 2 - num_hidden // 2
    scenes = walk(
        [110 + step for step in steps],
        [110 - step for step in steps],
        hidden=range(middle, middle + num_hidden),
    )
    history = _track(scenes, DeepSortRealtimeEmbedder(make_extractor()), cuts_itself=cuts_itself)
    assert set(history[8]) == {"red", "blue"}
    assert history[-1] == history[8]
    constant = DeepSortRealtimeEmbedder(make_extractor(ConstantRuntime()))
    swapped = _track(scenes, constant, cuts_itself=cuts_itself)
    assert swapped[-1] == {"red": swapped[8]["blue"], "blue": swapped[8]["red"]}


def test_embeds_stay_with_their_detections_when_the_tracker_drops_some() -> None:
    extractor, frame = make_extractor(), noise_frame()
    embeds = DeepSortRealtimeEmbedder(extractor).embed(frame, DETECTIONS)
    tracks = DeepSort(embedder=None).update_tracks(DETECTIONS, embeds=embeds)
    features = {track.get_det_class(): track.get_feature() for track in tracks}
    assert set(features) == {"first", "second", "outside", "third"}
    boxes = {name: box for box, _, name in DETECTIONS}
    for name in ("first", "second", "third"):
        assert np.array_equal(features[name], extractor.extract(frame, [boxes[name]], "tlwh").features[0])
    assert np.array_equal(features["outside"], extractor.embed_black())


def test_the_tracker_may_cut_empty_crops() -> None:
    extractor, frame = make_extractor(), noise_frame()
    tracker = DeepSort(embedder=None)
    tracker.embedder = DeepSortRealtimeEmbedder(extractor)
    for _ in range(3):  # a zero row would be NaN at the second, and stop the assignment
        tracks = tracker.update_tracks(DETECTIONS, frame=frame)
    found = {track.get_det_class(): track.get_feature() for track in tracks}
    assert np.array_equal(found["outside"], extractor.embed_black())
    assert np.array_equal(found["first"], extractor([frame[20:70, 10:30]])[0])


def test_frames_without_people() -> None:
    embedder = DeepSortRealtimeEmbedder(make_extractor(ColourRuntime()))
    frame = paint([])
    assert embedder.embed(frame, []).shape == (0, 24)
    assert embedder.embed(frame, [([5, 5, 0, 0], 0.5, "flat")]).shape == (0, 24)
    assert embedder.predict([]).shape == (0, 24)
    assert DeepSort(embedder=None).update_tracks([], embeds=embedder.embed(frame, [])) == []


def test_crops_of_any_kind_keep_their_places() -> None:
    extractor, frame = make_extractor(), noise_frame()
    crops = [frame[0:0, 5:9], frame[:40, :20], np.empty((7, 0, 3), np.uint8), frame[5:90, 30:60, 0]]
    rows = DeepSortRealtimeEmbedder(extractor).predict(crops)
    assert np.array_equal(rows[[1, 3]], extractor([crops[1], crops[3]]))
    assert np.array_equal(rows[[0, 2]], np.stack([extractor.embed_black()] * 2))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with pytest.raises(TypeError, match="image 0 must be an array of uint8"):
        DeepSortRealtimeEmbedder(extractor).predict([crops[1].astype(np.float32)])
