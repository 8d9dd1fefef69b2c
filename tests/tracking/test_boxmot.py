from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from reid_gl.data.loading.images import Image8
from reid_gl.tracking import BoxmotFeatures
from tests.tracking.coloured_people import make_extractor, noise_frame

BOXES = np.array([[10, 20, 30, 70], [60, 10, 90, 90], [5, 5, 45, 100], [500, 0, 510, 50]], np.float32)


def _describe_as_version_24(model: Any, boxes: np.ndarray, frame: Image8) -> np.ndarray:
    """Cut the crops, pack them into one mosaic, ask for the features of its tiles; refuse broken ones."""
    crops = []
    for x1, y1, x2, y2 in np.clip(boxes, 0, [240, 120, 240, 120]).astype(int):
        crop = frame[y1:y2, x1:x2]
        crops.append(crop if crop.size else np.zeros((1, 1, 3), np.uint8))
    mosaic = np.zeros((max(len(crop) for crop in crops), sum(crop.shape[1] for crop in crops), 3), np.uint8)
    tiles, left = [], 0
    for crop in crops:
        mosaic[: len(crop), left : left + crop.shape[1]] = crop
        tiles.append([left, 0, left + crop.shape[1], len(crop)])
        left += crop.shape[1]
    features = np.asarray(model.get_features(np.array(tiles, np.float32), mosaic), np.float32)
    if features.shape != (len(boxes), model.embedding_dim) or not np.isfinite(features).all():
        raise ValueError("misshapen or not finite")
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if (lengths <= 1e-12).any():
        raise ValueError("a row without a length")
    return features / lengths


def test_the_mosaic_of_version_24_gives_the_features_of_the_frame() -> None:
    model, frame = BoxmotFeatures(make_extractor()), noise_frame()
    through_mosaic = _describe_as_version_24(model, BOXES, frame)
    assert through_mosaic == pytest.approx(model.get_features(BOXES, frame), abs=1e-6)
    assert np.ptp(through_mosaic, axis=0).max() > 0.01


def test_what_version_24_asks_of_a_model() -> None:
    model = BoxmotFeatures(make_extractor())
    assert (model.embedding_dim, model.input_shape, model.device) == (24, (16, 8), "cpu")
    own_steps = ("get_crops", "inference_preprocess", "forward", "inference_postprocess")
    assert not all(hasattr(model, step) for step in own_steps)


def test_version_16_replaces_the_model_and_divides_in_place() -> None:
    model, frame = BoxmotFeatures(make_extractor()).model, noise_frame()
    embeddings = model.get_features(BOXES, frame)
    before = embeddings.copy()
    for row in embeddings[:2]:
        row /= 2 * np.linalg.norm(row)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx([0.5, 0.5, 1.0, 1.0])
    assert np.array_equal(embeddings[2:], before[2:])


def test_version_17_calls_the_model_with_whole_detections() -> None:
    reid, frame = BoxmotFeatures(make_extractor()), noise_frame()
    detections = np.concatenate([BOXES, np.full((4, 1), 0.9), np.zeros((4, 1))], axis=1)  # confidence, class
    assert np.array_equal(reid(frame, boxes=detections), reid.get_features(BOXES, frame))
    assert reid(frame, boxes=np.empty((0, 6))).shape == (0, 24)


def test_version_17_may_give_crops() -> None:
    extractor, frame = make_extractor(), noise_frame()
    reid = BoxmotFeatures(extractor)
    crops = [frame[20:70, 10:30], frame[10:90, 60:90], frame[0:0, 5:9]]
    assert np.array_equal(reid(crops)[:2], reid.get_features(BOXES[:2], frame))
    assert np.array_equal(reid(crops)[2], extractor.embed_black())
    assert np.array_equal(reid(crops[0]), reid(crops)[:1])
    assert reid([]).shape == (0, 24)


def test_pipelines_of_version_25_encode_frames_of_tensors() -> None:
    requirements = object()
    model = BoxmotFeatures(make_extractor(), requirements=requirements)
    frames = [noise_frame(seed) for seed in range(3)]
    boxes = [BOXES, BOXES[:1], BOXES[:0]]
    encoded = model.encode(
        [
            SimpleNamespace(image=torch.from_numpy(frame[..., ::-1].transpose(2, 0, 1).copy()))
            for frame in frames
        ],
        [SimpleNamespace(geometry=SimpleNamespace(values=torch.from_numpy(some))) for some in boxes],
    )
    assert isinstance(encoded, list)
    for rows, frame, some in zip(encoded, frames, boxes, strict=True):
        assert (rows.dtype, rows.shape) == (torch.float32, (len(some), model.embedding_dim))
        assert np.array_equal(rows.numpy(), model.get_features(some, frame))
    assert model.requirements is requirements
    assert BoxmotFeatures(make_extractor()).requirements is None
    black = SimpleNamespace(image=torch.zeros(3, 9, 9, dtype=torch.uint8))
    oriented = SimpleNamespace(geometry=SimpleNamespace(values=torch.ones(2, 5)))
    with pytest.raises(ValueError, match="oriented boxes have no"):
        model.encode([black], [oriented])


@pytest.mark.parametrize("columns", [5, 7])
def test_oriented_boxes_are_refused(columns: int) -> None:
    model, frame = BoxmotFeatures(make_extractor()), noise_frame()
    assert model.get_features(np.empty((0, columns)), frame).shape == (0, 24)
    with pytest.raises(ValueError, match=rf"got \(2, {columns}\); oriented boxes have no re-identification"):
        model.get_features(np.ones((2, columns)), frame)
