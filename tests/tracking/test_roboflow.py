from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.tracking import RoboflowExtractor
from tests.tracking.coloured_people import make_extractor, noise_frame
from tests.tracking.made_up_detections import MadeUpDetections

BOXES = np.array([[10, 20, 30, 70], [500, 0, 510, 50], [60, 10, 90, 90]], np.float32)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_both_orders_of_the_arguments_are_understood(channels: int) -> None:
    model, frame = RoboflowExtractor(make_extractor()), noise_frame(channels=channels)
    detections = MadeUpDetections(BOXES)
    features = model.extract_features(frame, detections)
    assert features.shape == (3, 24)
    assert np.array_equal(model.extract_features(detections, frame), features)


def test_it_stands_where_reid_has_its_model() -> None:
    model, frame = RoboflowExtractor(make_extractor()), noise_frame()
    embeddings = model.extract_embeddings(MadeUpDetections(BOXES), frame)
    assert np.array_equal(embeddings, model.extract_features(frame, MadeUpDetections(BOXES)))
    assert (embeddings.dtype, embeddings.shape) == (np.float32, (3, 24))
    assert model.extract_embeddings(MadeUpDetections(np.empty((0, 4))), frame).shape == (0, 24)


def test_embeddings_are_filtered_with_their_detections() -> None:
    model, frame = RoboflowExtractor(make_extractor()), noise_frame()
    detections = MadeUpDetections(BOXES, {"name": np.array(["a", "b", "c"])})
    described = model.with_embeddings(detections, frame)
    assert list(detections.data) == ["name"]
    assert described.data["embedding"].shape == (3, 24)
    kept = described[np.array([False, True, True])]
    assert np.array_equal(kept.data["embedding"], model.extract_features(frame, kept))
    assert kept.data["name"].tolist() == ["b", "c"]


@pytest.mark.parametrize("pair", [("frame", "frame"), ("detections", "detections")])
def test_two_of_a_kind_are_refused(pair: tuple[str, str]) -> None:
    things: dict[str, Any] = {"frame": noise_frame(), "detections": MadeUpDetections(BOXES)}
    with pytest.raises(TypeError, match="one argument must be a frame and the other detections"):
        RoboflowExtractor(make_extractor()).extract_features(things[pair[0]], things[pair[1]])
