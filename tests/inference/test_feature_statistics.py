from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference import InferenceSettings, extract_features, extract_statistics
from reid_gl.models import ReidNet
from reid_gl.records import Sample
from tests.conftest import MakeSamples
from tests.inference.strategies.test_pooling_statistics import make_net

SMALL = Preprocessing(height=32, width=16)


@pytest.fixture
def samples(make_samples: MakeSamples) -> list[Sample]:
    return make_samples((5, 0), (3, 1), (9, 0))


def _largest_difference(
    net: ReidNet, samples: list[Sample], feature: str, all_settings: list[dict[str, Any]], num_crops: int = 1
) -> float:
    """Between one pass for all settings and one for each."""
    statistics = extract_statistics(
        net, samples, preprocessing=SMALL, feature=feature, num_crops=num_crops, batch_size=2
    )
    differences = []
    for settings in all_settings:
        inference = InferenceSettings(num_crops=num_crops, **settings)
        once = statistics.features(inference)
        alone = extract_features(net, samples, preprocessing=SMALL, feature=feature, inference=inference)
        assert once.embeddings.dtype == np.float32
        assert once.pids.tolist() == alone.pids.tolist() == [5, 3, 9]
        assert once.paths == alone.paths
        assert np.linalg.norm(alone.embeddings, axis=1).min() > 0.1
        differences.append(np.abs(once.embeddings - alone.embeddings).max())
    return max(differences)


@pytest.mark.parametrize("pooling", ["average", "mixed", "gem"])
def test_one_pass_gives_the_features_of_every_setting(samples: list[Sample], pooling: str) -> None:
    choices = itertools.product((None, 0.6), (0.0, 0.4), (0.0, 0.01), (False, True))
    settings = [dict(zip(("mixing", "slope", "beta", "flip"), choice, strict=True)) for choice in choices]
    if pooling == "gem":
        settings = [one for one in settings if one["mixing"] is not None or not one["slope"]]
    assert len(settings) == (12 if pooling == "gem" else 16)
    assert _largest_difference(make_net(pooling), samples, "before_neck", settings) < 1e-5


@pytest.mark.parametrize("feature", ["before_neck", "after_neck"])
def test_of_an_embedding_with_a_dimension_of_its_own(samples: list[Sample], feature: str) -> None:
    settings: list[dict[str, Any]] = [{}, {"flip": True}]
    if feature == "before_neck":
        settings += [{"mixing": 0.3, "slope": 0.4, "flip": True, "beta": 0.01}]
    assert _largest_difference(make_net(embedding_dim=20), samples, feature, settings) < 1e-5


def test_over_five_crops_too(samples: list[Sample]) -> None:
    settings = [{"mixing": 0.5, "slope": 0.5, "flip": True}, {}]
    assert _largest_difference(make_net(), samples, "before_neck", settings, num_crops=5) < 1e-5


@pytest.mark.parametrize("feature", ["after_neck", "concatenated"])
def test_after_the_neck_views_are_left(samples: list[Sample], feature: str) -> None:
    assert _largest_difference(make_net(), samples, feature, [{}, {"flip": True}]) < 1e-5


def test_without_mirror_images_there_is_half_of_it(samples: list[Sample]) -> None:
    net = make_net()
    statistics = extract_statistics(net, samples, preprocessing=SMALL, flip=False)
    assert statistics.rows.embeddings.shape == (3, 4 * 512)
    plain = extract_features(net, samples, preprocessing=SMALL, feature="before_neck")
    assert np.allclose(statistics.features(InferenceSettings()).embeddings, plain.embeddings, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"looked at 1 of the crops, without mirror images: it cannot tell .* of flip"
    ):
        statistics.features(InferenceSettings(flip=True))
    with pytest.raises(ValueError, match="cannot tell the features of 5 crops"):
        statistics.features(InferenceSettings(num_crops=5))


def test_errors(samples: list[Sample]) -> None:
    with pytest.raises(
        ValueError, match="unknown feature 'neck': expected one of before_neck, after_neck, conc"
    ):
        extract_statistics(make_net(), samples, preprocessing=SMALL, feature="neck")
    statistics = extract_statistics(make_net(), samples, preprocessing=SMALL)
    with pytest.raises(ValueError, match="act on the feature before the neck"):
        replace(statistics, feature="after_neck").features(InferenceSettings(beta=0.1))
