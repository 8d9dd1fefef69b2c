from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reid_gl.losses.binomial_deviance import (
    BinomialDevianceLoss,
    binomial_deviance_loss,
    binomial_deviance_loss_of_similarity,
)
from reid_gl.losses.pairs import pair_masks
from tests.losses.pair_cases import random_pairs, value_and_gradient
from tests.reference.slow_binomial_deviance import slow_binomial_deviance_loss
from tests.reference.slow_similarity import slow_cosine_distance

LN2 = math.log(2)
DEFAULTS = {"alpha": 2.0, "beta": 50.0, "base": 0.5}
SETTINGS = [DEFAULTS, {"alpha": 1.0, "beta": 5.0, "base": 0.0}, {"alpha": 40.0, "beta": 2.0, "base": 0.9}]


def _slow(embeddings: Tensor, labels: Tensor, **settings: float) -> float:
    rows = embeddings.tolist()
    similarity = [[1 - d for d in row] for row in slow_cosine_distance(rows, rows)]
    return slow_binomial_deviance_loss(similarity, labels.tolist(), **settings)


def test_three_images_by_hand() -> None:
    """Pairs of 0 and 1 and of 0 and 2 at the base; 1 and 2 at similarity 0.5 + ln(3) / 50."""
    similarity = torch.full((3, 3), 0.5, dtype=torch.float64)
    similarity[1, 2] = similarity[2, 1] = 0.5 + math.log(3) / 50  # log(1 + 3) for a negative
    value = binomial_deviance_loss_of_similarity(similarity, torch.tensor([0, 0, 1]))
    anchors = [LN2 + LN2, LN2 + 2 * LN2, (LN2 + 2 * LN2) / 2]
    assert value.item() == pytest.approx(sum(anchors) / 3, abs=1e-12)


@pytest.mark.parametrize("settings", SETTINGS)
def test_agrees_with_the_slow_version(settings: dict[str, float]) -> None:
    for seed in range(8):
        embeddings, labels = random_pairs(seed)
        value = binomial_deviance_loss(embeddings, labels, **settings)
        assert value.item() == pytest.approx(_slow(embeddings, labels, **settings), abs=1e-10)


def test_the_similarity_form_takes_independent_entries() -> None:
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        similarity = 2 * torch.rand(10, 10, generator=generator, dtype=torch.float64) - 1  # not symmetric
        labels = torch.randint(4, (10,), generator=generator)
        expected = slow_binomial_deviance_loss(similarity.tolist(), labels.tolist(), **DEFAULTS)
        value = binomial_deviance_loss_of_similarity(similarity, labels)
        assert value.item() == pytest.approx(expected, abs=1e-10)
        assert torch.equal(BinomialDevianceLoss().from_similarity(similarity, labels), value)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_is_a_sigmoid_pair_weight(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(8, 8, generator=generator, dtype=torch.float64) - 1
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    slope = (
        8 * value_and_gradient(lambda live: binomial_deviance_loss_of_similarity(live, labels), similarity)[1]
    )
    positives, negatives = pair_masks(labels)
    pull = -2 * torch.sigmoid(2 * (0.5 - similarity)) / positives.sum(dim=1, keepdim=True)
    push = 50 * torch.sigmoid(50 * (similarity - 0.5)) / negatives.sum(dim=1, keepdim=True)
    assert torch.allclose(slope, pull * positives + push * negatives, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", SETTINGS)
def test_gradcheck(settings: dict[str, float], seed: int) -> None:
    embeddings, labels = random_pairs(seed, num_rows=8)
    assert torch.autograd.gradcheck(
        lambda live: binomial_deviance_loss(live, labels, **settings), (embeddings.requires_grad_(),)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_batches_are_defined(dtype: torch.dtype) -> None:
    embeddings, two_each = random_pairs(0, num_rows=4)[0].to(dtype), torch.tensor([0, 0, 1, 1])
    pull_at_one, push_at_one = math.log1p(math.exp(-1)), math.log1p(math.exp(25))
    pull_at_zero, push_at_zero = math.log1p(math.exp(1)), math.log1p(math.exp(-25))
    same, zero = embeddings[:1].repeat(4, 1), torch.zeros_like(embeddings)
    cases = {
        "identical rows": (same, two_each, pull_at_one + push_at_one),
        "zero rows": (zero, two_each, pull_at_zero + push_at_zero),
        "one identity": (same, torch.zeros(4, dtype=torch.long), pull_at_one),
        "one image per identity": (same, torch.arange(4), push_at_one),
        "one image": (same[:1], torch.tensor([7]), 0.0),
        "tiny embeddings": (1e-25 * embeddings, two_each, None),
        "large embeddings": (1e25 * embeddings, two_each, None),
    }
    for name, (rows, labels, expected) in cases.items():
        loss, gradient = value_and_gradient(
            lambda live, labels=labels: binomial_deviance_loss(live, labels), rows
        )
        if expected is None:
            expected = _slow(rows.double(), labels, **DEFAULTS)
        # the slope of 50 multiplies the rounding of a cosine near 1
        assert loss.item() == pytest.approx(expected, abs=100 * torch.finfo(dtype).eps), name
        assert torch.isfinite(gradient).all(), name
        assert expected != 0 or (gradient == 0).all(), name


def test_steep_settings_do_not_overflow() -> None:
    embeddings, labels = random_pairs(4)
    loss, gradient = value_and_gradient(
        lambda live: binomial_deviance_loss(live, labels, alpha=1e4, beta=1e4), embeddings.float()
    )
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


def test_module_gives_the_function_with_its_settings() -> None:
    embeddings, labels = random_pairs(12)
    for settings in SETTINGS:
        value = BinomialDevianceLoss(**settings)(embeddings, labels, logits=torch.zeros(len(labels), 9))
        assert torch.equal(value, binomial_deviance_loss(embeddings, labels, **settings))
    assert torch.equal(
        BinomialDevianceLoss()(embeddings, labels), binomial_deviance_loss(embeddings, labels, **DEFAULTS)
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.0}, "alpha must be a positive number, got 0.0"),
        ({"beta": -1.0}, "beta must be a positive number, got -1.0"),
        ({"beta": math.inf}, "beta must be a positive number, got inf"),
        ({"base": -1.5}, r"the base is a cosine in \[-1, 1\], got -1.5"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinomialDevianceLoss(**settings)
    with pytest.raises(ValueError, match=message):
        binomial_deviance_loss(*random_pairs(0), **settings)


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"expected embeddings \(N, D\) and labels \(N,\), got \(3, 2\)"):
        BinomialDevianceLoss()(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))
