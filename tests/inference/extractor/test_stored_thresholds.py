from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation.thresholds.record import CalibratedPoint, Calibration
from reid_gl.inference.exported.exported_network import read_sidecar
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.stored_thresholds import load_calibration, same_person
from reid_gl.models import NetSettings, ReidNet
from reid_gl.models.weights import CHECKPOINT_FORMAT

POINTS = (CalibratedPoint(1e-2, 0.5, (0.4, 0.6), 0.9), CalibratedPoint(1e-3, 0.25, (0.2, 0.3), 0.8))
CALIBRATION = Calibration("made up", POINTS, (), (), 0.1, 2, 9, 9, 0.5, 0.1, (9,), (9,), ((0.1, 0.1, 0.2),))


class MeanColor:
    """Three numbers for an image."""

    preprocessing = Preprocessing(8, 4)
    embedding_dim = 3
    device = "cpu"

    def __call__(self, images: Image8) -> np.ndarray:
        means: np.ndarray = images.mean(axis=(1, 2)).astype(np.float32)
        return means


def write_checkpoint(path: Path, **more: Any) -> Path:
    settings = {"backbone": "resnet18", "num_classes": 2}
    net = ReidNet(NetSettings(**settings))  # type: ignore[arg-type]
    content = {
        "format": CHECKPOINT_FORMAT,
        "net": settings,
        "model": net.state_dict(),
        "preprocessing": Preprocessing(64, 32).to_dict(),
        "config": yaml.safe_dump({"TEST": {"FEATURE": "before_neck"}}),
        **more,
    }
    torch.save(content, path)
    return path


def unit(distance: float) -> np.ndarray:
    """At this cosine distance from (1, 0)."""
    return np.array([1 - distance, np.sqrt(1 - (1 - distance) ** 2)])


def test_by_hand() -> None:
    first = np.array([3.0, 0.0])
    for distance, far, expected in ((0.24, 1e-3, True), (0.26, 1e-3, False), (0.26, 1e-2, True)):
        answer = same_person(CALIBRATION, first, 0.1 * unit(distance), far=far)
        assert answer is expected
    others = np.stack([unit(0.1), unit(0.9), np.zeros(2), unit(0.2)])
    for sides in ((first, others), (others, first), (np.tile(first, (4, 1)), others)):
        many = same_person(CALIBRATION, *sides, far=1e-3)
        assert isinstance(many, np.ndarray)
        assert many.dtype == bool
        assert many.tolist() == [True, False, False, True]


def test_two_empty_boxes_are_not_one_person_and_no_boxes_are_nobody() -> None:
    assert same_person(CALIBRATION, np.zeros(2), np.zeros(2), far=1e-2) is False
    nobody = same_person(CALIBRATION, np.zeros((0, 2)), np.zeros((0, 2)), far=1e-2)
    assert isinstance(nobody, np.ndarray)
    assert nobody.shape == (0,)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones(2), np.ones(3), "features have 2 and 3 numbers"),
        (np.ones((2, 2)), np.ones((3, 2)), r"with the same N, got \(2, 2\) and \(3, 2\)"),
        (np.ones((2, 2, 2)), np.ones(2), r"\(D,\) or \(N, D\) with the same N"),
        (np.ones(2), np.array([1, np.nan]), "features must be finite"),
    ],
)
def test_features_that_make_no_sense(first: np.ndarray, second: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        same_person(CALIBRATION, first, second, far=1e-2)


def test_an_extractor_decides_by_what_its_checkpoint_keeps(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "model.ckpt", calibration=CALIBRATION.to_dict())
    extractor = FeatureExtractor(path, device="cpu", color_order="rgb")
    assert extractor.calibration == CALIBRATION
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), dtype=np.uint8)
    features = extractor(list(images))
    assert extractor.same_person(features[0], features[0]) is True
    answers = extractor.same_person(features, features, far=1e-2)
    assert isinstance(answers, np.ndarray)
    assert answers.tolist() == [True] * 3
    assert extractor.same_person(unit(0.3), unit(0.0)) is False  # 1e-3 unless told
    with pytest.raises(ValueError, match=r"made up was calibrated for 0.01, 0.001"):
        extractor.same_person(features[0], features[1], far=1e-4)


def test_without_a_calibration_it_says_how_to_get_one(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "model.ckpt")
    assert load_calibration(path) is None
    for extractor in (FeatureExtractor(path, device="cpu"), FeatureExtractor(MeanColor())):
        with pytest.raises(ValueError, match=r"has no calibration.*: run reid-gl calibrate on it"):
            extractor.same_person(unit(0), unit(0))
        with pytest.raises(ValueError, match="has no calibration"):
            _ = extractor.calibration


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "net.torchscript", "foreign.pth"])
def test_other_files_have_theirs_beside_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"nothing that torch reads")
    assert load_calibration(path) is None
    beside = tmp_path / f"{name}.json"
    beside.write_text(json.dumps({"preprocessing": {"height": 256}}))
    assert load_calibration(path) is None
    beside.write_text(json.dumps({"preprocessing": {"height": 256}, "calibration": CALIBRATION.to_dict()}))
    assert load_calibration(path) == CALIBRATION
    assert read_sidecar(path)["preprocessing"] == {"height": 256}


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing.ckpt"):
        load_calibration(tmp_path / "nothing.ckpt")
    path = write_checkpoint(tmp_path / "model.ckpt", calibration={"threshold": 0.5})
    with pytest.raises(ValueError, match=r"model.ckpt has no calibration that this version reads"):
        load_calibration(path)
    exported = tmp_path / "net.onnx"
    exported.write_bytes(b"")
    for text, message in (
        ("{", "net.onnx.json is not JSON"),
        ("[]", "net.onnx.json does not describe an exported network"),
    ):
        (tmp_path / "net.onnx.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            load_calibration(exported)
