from __future__ import annotations

import math

import pytest
import torch

from reid_gl.evaluation import RerankSettings
from reid_gl.inference.strategies.settings import (
    PLAIN,
    PRESETS,
    InferenceSettings,
    beta_normalize,
    check_comparison,
)
from reid_gl.similarity import cosine_distance, euclidean_distance
from tests.reference.slow_inference import slow_beta_normalize


def test_beta_by_hand() -> None:
    assert beta_normalize(torch.tensor([[3.0, 4.0]]), 0.1).tolist() == [pytest.approx([0.9, 1.2])]


def test_beta_agrees_with_the_definition() -> None:
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        features = 10 * torch.randn(6, 5, generator=generator)
        features[3] = 0
        beta = torch.rand((), generator=generator).item() / 100
        expected = [slow_beta_normalize(row.tolist(), beta) for row in features]
        assert torch.allclose(beta_normalize(features, beta), torch.tensor(expected), atol=1e-6)


def test_under_cosine_beta_is_nothing_and_without_beta_euclidean_ranks_as_cosine_does() -> None:
    features = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = beta_normalize(features, 0.3)
    assert torch.allclose(cosine_distance(moved, moved), cosine_distance(features, features), atol=1e-12)
    unit = beta_normalize(features, 0.0)
    distances = euclidean_distance(unit, unit)
    assert torch.allclose(distances**2, 2 * cosine_distance(features, features), atol=1e-7)
    assert not torch.allclose(euclidean_distance(moved, moved), distances, atol=1e-3)


def test_a_zero_row_stays_zero() -> None:
    assert beta_normalize(torch.zeros(1, 3), 0.1).tolist() == [[0, 0, 0]]


def test_presets_are_the_authors() -> None:
    rows = {
        name: (p.inference.mixing, p.inference.slope, p.inference.beta, p.rerank)
        for name, p in PRESETS.items()
    }
    twice = RerankSettings(50, 20, 0.94, doubled_pool=True)
    assert rows == {
        "cub": (0.5, 0.75, 0.004, twice),
        "cars": (0.5, 0.0, 0.004, twice),
        "sop": (0.6, 1.0, 0.0005, twice),
        "in_shop": (0.57, 1.0, 0.002, RerankSettings(6, 2, 0.4)),
        "person": (None, 0.0, 0.0, RerankSettings(20, 6, 0.3)),
    }


def test_settings_say_what_is_on() -> None:
    assert str(PLAIN) == ""
    everything = InferenceSettings(mixing=0.0, slope=0.25, beta=0.002, flip=True, num_crops=5)
    assert str(everything) == "mixing 0, slope 0.25, beta 0.002, flip, 5 crops"
    assert everything.changes_pooling
    assert not InferenceSettings(beta=1.0, flip=True).changes_pooling


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixing": 1.1}, r"mixing is the share of max pooling, in \[0, 1\] or None, got 1.1"),
        ({"mixing": math.nan}, "mixing is the share"),
        ({"slope": -0.1}, r"slope of the leaky ReLU must lie in \[0, 1\], got -0.1"),
        ({"beta": -1.0}, "beta must be a number of at least 0, got -1.0"),
        ({"beta": math.inf}, "beta must be a number"),
        ({"num_crops": 3}, "num_crops must be 1 or 5, got 3"),
    ],
)
def test_settings_out_of_range(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InferenceSettings(**settings)


@pytest.mark.parametrize("feature", ["after_neck", "concatenated"])
@pytest.mark.parametrize("switch", ["mixing", "slope", "beta"])
def test_after_the_neck_three_switches_are_refused(feature: str, switch: str) -> None:
    inference = InferenceSettings(**{switch: 0.5})
    with pytest.raises(
        ValueError, match=rf"before the neck, whose statistics hold .* got {feature}: set TEST.FEATURE"
    ):
        check_comparison(inference, feature=feature, metric="euclidean")
    check_comparison(inference, feature="before_neck", metric="euclidean")
    check_comparison(InferenceSettings(flip=True, num_crops=5), feature=feature, metric="cosine")


def test_beta_under_cosine_is_refused_with_the_reason() -> None:
    with pytest.raises(
        ValueError, match=r"direction, so it changes nothing under cosine: set TEST.METRIC euclid"
    ):
        check_comparison(InferenceSettings(beta=0.1), feature="before_neck", metric="cosine")
