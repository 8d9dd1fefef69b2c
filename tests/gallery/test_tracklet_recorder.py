from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.tracklet_recorder import TrackletRecorder
from reid_gl.tracking import pool_tracklets
from tests.gallery.made_up_galleries import MORNING, WIDTH, features


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery(tmp_path / "people.db") as gallery:
        yield gallery


def rows_of(gallery: Gallery) -> dict[int, Sighting]:
    return {match.id: match.sighting for match in gallery.search(features(1), 999)[0]}


def test_a_row_for_each_interval_and_a_tracklet_at_the_end(gallery: Gallery) -> None:
    recorder = TrackletRecorder(gallery, 3, path="yard.mp4", every=10.0, ends_after=5.0)
    seen = features(40)
    ended = []
    for frame in range(40):  # one image per second; track 8 is seen in the first 12 frames
        numbers = [7, 8] if frame < 12 else [7]
        size = 50.0 if frame in (4, 23) else 20.0
        boxes = [(0.0, 0.0, size, 2 * size), (1.0, 1.0, 9.0, 9.0)][: len(numbers)]
        vectors = np.stack([seen[frame], seen[39 - frame]])[: len(numbers)]
        ended += recorder.update(MORNING + frame, numbers, boxes, (frame + 1) * vectors, frame=frame + 1)
    assert [tracklet.number for tracklet in ended] == [8]
    ended += recorder.close()
    first, second = ended
    assert (first.camid, first.start, first.end) == (3, MORNING, MORNING + 11)
    assert (second.number, second.start, second.end) == (7, MORNING, MORNING + 39)
    pooled = pool_tracklets(np.concatenate([seen, seen[:27:-1]]), [7] * 40 + [8] * 12)
    np.testing.assert_allclose([second.feature, first.feature], pooled.features, atol=1e-6)
    rows = rows_of(gallery)
    assert sorted(rows) == sorted([*first.rows, *second.rows])
    shown = [(rows[row].time, rows[row].frame, rows[row].box) for row in second.rows.tolist()]
    assert shown[0] == (MORNING + 4, 5, (0.0, 0.0, 50.0, 100.0))  # the largest of the interval
    assert [time - MORNING for time, _, _ in shown] == [4, 11, 23, 33]
    assert {(row.camera, row.tracklet, row.path) for row in rows.values()} == {
        (3, 7, "yard.mp4"),
        (3, 8, "yard.mp4"),
    }
    of_interval = pool_tracklets(seen[:11], [7] * 11).features
    np.testing.assert_allclose(gallery.features_of(second.rows[:1].tolist()), of_interval, atol=1e-6)


def test_boxes_outside_leave_no_row_and_a_number_may_come_again(gallery: Gallery) -> None:
    recorder = TrackletRecorder(gallery, 0)
    box = [(0, 0, 5, 5)]
    assert recorder.update(1.0, [4], box, np.zeros((1, WIDTH))) == []
    assert recorder.close() == []
    recorder.update(2.0, [4], box, features(1))
    (first,) = recorder.update(60.0, [], [], np.zeros((0, WIDTH)))
    recorder.update(61.0, np.array([4]), box, features(1))
    (second,) = recorder.close()
    assert (first.rows.tolist(), second.rows.tolist()) == ([1], [2])
    assert (first.start, second.start, second.number) == (2.0, 61.0, 4)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"numbers": [1]}, "got 1 numbers, 2 boxes and 2 features"),
        ({"numbers": [1, 1]}, "each number once, got 2 numbers"),
        ({"boxes": [(0, 0, 1, 1)]}, "got 2 numbers, 1 boxes and 2 features"),
        ({"features": np.full((2, WIDTH), np.nan)}, "features must be finite numbers"),
        ({"features": features(2)[0]}, r"features must be finite numbers \(N, D\)"),
        ({"time": 4.0}, "in the order of their times, got 4.0 after 5.0"),
    ],
)
def test_frames_that_cannot_be(gallery: Gallery, asked: dict[str, Any], message: str) -> None:
    recorder = TrackletRecorder(gallery, 0)
    right = {"time": 5.0, "numbers": [1, 2], "boxes": [(0, 0, 1, 1)] * 2, "features": features(2)}
    recorder.update(**right)
    with pytest.raises(ValueError, match=message):
        recorder.update(**(right | asked))
    with pytest.raises(ValueError, match="must be positive seconds, got 0 and 5"):
        TrackletRecorder(gallery, 0, every=0)
    assert len(recorder.close()) == 2
