"""A network gives the same features in scoring, FeatureExtractor and exports, with any strategies kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.inference import extract_features
from reid_gl.inference.exporting.export_network import export_weights
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.open_weights import stored_strategies
from reid_gl.inference.strategies.apply import KEY, Strategies
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import load_net
from reid_gl.records import Sample
from tests.tiny_checkpoint import COLOURS, coloured_crops, write_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
SETTINGS: dict[str, Any] = {"device": "cpu", "precision": "float32", "color_order": "rgb"}
CASES = {
    "plain": Strategies("before_neck"),
    "concatenated": Strategies("concatenated"),
    "mixing, slope, beta": Strategies("before_neck", InferenceSettings(mixing=0.6, slope=0.5, beta=0.004)),
    "flip": Strategies("after_neck", InferenceSettings(flip=True)),
    "five crops, flip, mixing": Strategies(
        "before_neck", InferenceSettings(mixing=0.5, flip=True, num_crops=5)
    ),
}


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    folder = tmp_path_factory.mktemp("crops")
    for number, crop in enumerate(coloured_crops(4)):
        cv2.imwrite(str(folder / f"{number}.png"), crop[:, :, ::-1])
    return [Sample(str(folder / f"{number}.png"), number) for number in range(4)]


@pytest.mark.parametrize("name", CASES)
def test_every_way_to_features_applies_what_the_checkpoint_keeps(
    name: str, samples: list[Sample], tmp_path: Path
) -> None:
    strategies = CASES[name]
    weights = write_checkpoint(tmp_path / "net.ckpt", **{KEY: strategies.to_dict()})
    net = load_net(weights).net
    scored = extract_features(
        net, samples, preprocessing=COLOURS, feature=strategies.feature, inference=strategies.settings
    ).embeddings
    extractor = FeatureExtractor(weights, normalize=False, **SETTINGS)
    extracted = extractor([sample.path for sample in samples])
    np.testing.assert_allclose(extracted, scored, rtol=1e-3, atol=1e-4)
    file = export_weights(weights, ExportSettings(format="torchscript"), images=samples)["file"]
    exported = FeatureExtractor(file, **SETTINGS)([sample.path for sample in samples])
    np.testing.assert_allclose(exported, unit(scored), atol=1e-4)
    if name != "plain":  # and it makes a difference
        other = FeatureExtractor(write_checkpoint(tmp_path / "plain.ckpt", feature="before_neck"), **SETTINGS)
        others = other([sample.path for sample in samples])
        assert others.shape != exported.shape or np.abs(others - exported).max() > 1e-3


def test_flip_may_be_switched_off_and_on(samples: list[Sample], tmp_path: Path) -> None:
    flipped = Strategies("after_neck", InferenceSettings(flip=True))
    weights = write_checkpoint(tmp_path / "net.ckpt", **{KEY: flipped.to_dict()})
    plain = write_checkpoint(tmp_path / "plain.ckpt")
    paths = [sample.path for sample in samples]
    rows = {
        (path, flip): FeatureExtractor(path, flip=flip, **SETTINGS)(paths)
        for path in (weights, plain)
        for flip in (None, True, False)
    }
    np.testing.assert_array_equal(rows[weights, None], rows[weights, True])
    np.testing.assert_array_equal(rows[weights, True], rows[plain, True])
    np.testing.assert_array_equal(rows[weights, False], rows[plain, None])
    assert np.abs(rows[weights, True] - rows[weights, False]).max() > 1e-3


def test_a_damaged_entry_is_named() -> None:
    assert stored_strategies({KEY: CASES["flip"].to_dict()}) == CASES["flip"]
    for damage in ({}, {"feature": "after_neck", "colour": 1}):
        with pytest.raises(ValueError, match="test-time strategies cannot be read from"):
            stored_strategies({KEY: damage})


def test_a_leaking_relu_is_not_exported_in_float16(tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt", **{KEY: CASES["mixing, slope, beta"].to_dict()})
    with pytest.raises(ValueError, match=r"TEST.SLOPE, which acts on float32 maps: export it as float32"):
        export_weights(weights, ExportSettings(format="torchscript", precision="fp16"))
