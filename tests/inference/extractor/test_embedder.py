from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.embedder import (
    load_embedder,
    read_stored_config,
    stored_preprocessing,
    stored_strategies,
)
from reid_gl.inference.strategies.apply import KEY, Strategies
from reid_gl.inference.strategies.settings import InferenceSettings
from tests.tiny_checkpoint import COLOURS, SIZE, write_checkpoint


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "net.ckpt")


def _noise(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def test_features_have_length_one_and_no_gradient(weights: Path) -> None:
    embedder = load_embedder(weights)
    features = embedder.net(COLOURS.normalize((255 * _noise()).byte()))
    assert (features.shape, features.requires_grad) == ((3, embedder.embedding_dim), False)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    assert (embedder.feature, embedder.backbone) == ("after_neck", "resnet18")
    assert embedder.preprocessing == COLOURS
    assert not any("classifier" in name for name in embedder.net.state_dict())


def test_with_flip_an_image_and_its_mirror_are_the_same(weights: Path) -> None:
    images = COLOURS.normalize((255 * _noise()).byte())
    plain, flipped = (load_embedder(weights, flip=flip) for flip in (False, True))
    torch.testing.assert_close(flipped.net(images), flipped.net(images.flip(3)), atol=1e-5, rtol=0)
    assert not torch.allclose(plain.net(images), plain.net(images.flip(3)), atol=1e-3)
    assert flipped.strategies == Strategies("after_neck", InferenceSettings(flip=True))


def test_squares_are_resized_and_normalised_inside(weights: Path) -> None:
    square = load_embedder(weights, square_size=48)
    assert square.preprocessing == Preprocessing(48, 48, mean=(0.0,) * 3, std=(1.0,) * 3)
    colours = torch.rand(3, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values)[:, None, None] for values in (COLOURS.mean, COLOURS.std))
    plain = ((colours - mean) / std).expand(3, 3, *SIZE)
    expected = load_embedder(weights).net(plain)
    torch.testing.assert_close(square.net(colours.expand(3, 3, 48, 48)), expected, atol=1e-5, rtol=0)


def test_the_centre_of_an_image_is_no_square(tmp_path: Path) -> None:
    centre = replace(COLOURS, shorter_side=80)
    weights = write_checkpoint(tmp_path / "net.ckpt", preprocessing=centre.to_dict())
    with pytest.raises(ValueError, match=r"takes the centre of an image, .*: use the profile default"):
        load_embedder(weights, square_size=48)


def test_what_a_checkpoint_says_of_its_strategies() -> None:
    old = {"config": "{TEST: {FEATURE: before_neck, FLIP: true}}"}
    assert stored_strategies(old) == Strategies("before_neck")
    new = Strategies("concatenated", InferenceSettings(flip=True))
    assert stored_strategies({**old, KEY: new.to_dict()}) == new


@pytest.mark.parametrize("config", ["{}", "TEST: 3", "TEST: {FEATURE: neck}"])
def test_a_feature_that_is_none(config: str) -> None:
    with pytest.raises(ValueError, match=r"has TEST\.FEATURE .*: expected one of before_neck, "):
        stored_strategies({"config": config})


@pytest.mark.parametrize("config", [3, None, "a: b: c", "[1]", "!!python/name:os.system"])
def test_a_configuration_that_is_no_yaml_of_sections(config: Any) -> None:
    with pytest.raises(ValueError, match="in the checkpoint is not YAML with sections, got "):
        read_stored_config({"config": config})


def test_preprocessing_that_is_damaged() -> None:
    assert stored_preprocessing({"preprocessing": COLOURS.to_dict()}) == COLOURS
    for damaged in ({}, 7, {**COLOURS.to_dict(), "wings": 2}):
        with pytest.raises(ValueError, match=r"preprocessing is damaged .*: expected height, width"):
            stored_preprocessing({"preprocessing": damaged})
