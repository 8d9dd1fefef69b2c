from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pytorch_metric_learning.losses import MultiSimilarityLoss as PeerMultiSimilarityLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from torch import Tensor

from reid_gl.losses.multi_similarity import (
    MultiSimilarityLoss,
    multi_similarity_loss,
    multi_similarity_loss_of_similarity,
)
from reid_gl.losses.pairs import pair_masks
from tests.losses.pair_cases import random_pairs, value_and_gradient
from tests.reference.slow_multi_similarity import slow_mining, slow_multi_similarity_loss
from tests.reference.slow_similarity import slow_cosine_distance

LN2, LN3 = math.log(2), math.log(3)
OFFICIAL: dict[str, Any] = {"alpha": 2.0, "beta": 40.0, "base": 0.5, "epsilon": 0.1}
SETTINGS: list[dict[str, Any]] = [
    OFFICIAL,
    {**OFFICIAL, "epsilon": None},
    {"alpha": 1.0, "beta": 5.0, "base": 0.1, "epsilon": 0.0},
    {"alpha": 8.0, "beta": 50.0, "base": 1.0, "epsilon": 0.5},
]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")),
]


def _slow(embeddings: Tensor, labels: Tensor, **settings: Any) -> float:
    rows = embeddings.tolist()
    similarity = [[1 - d for d in row] for row in slow_cosine_distance(rows, rows)]
    return slow_multi_similarity_loss(similarity, labels.tolist(), **settings)


def test_three_images_by_hand() -> None:
    """At the base every pair's exponential is 1; image 2 has no positive, so mining leaves it nothing."""
    similarity, labels = torch.full((3, 3), 0.5, dtype=torch.float64), torch.tensor([0, 0, 1])
    mined = multi_similarity_loss_of_similarity(similarity, labels)
    assert mined.item() == pytest.approx(2 * (LN2 / 2 + LN2 / 40) / 3, abs=1e-12)
    unmined = multi_similarity_loss_of_similarity(similarity, labels, epsilon=None)
    assert unmined.item() == pytest.approx((2 * (LN2 / 2 + LN2 / 40) + LN3 / 40) / 3, abs=1e-12)


def test_mining_by_hand() -> None:
    """Image 0: positives .9 and .3, negatives .15, .25 and .5; kept are .3, .25 and .5."""
    row = [1.0, 0.9, 0.3, 0.15, 0.25, 0.5]
    labels = [0, 0, 0, 1, 1, 2]
    assert slow_mining(row, labels, 0, epsilon=0.1) == ([0.3], [0.25, 0.5])
    similarity = torch.full((6, 6), -1.0, dtype=torch.float64)
    similarity[0] = torch.tensor(row)
    gradient = value_and_gradient(
        lambda live: multi_similarity_loss_of_similarity(live, torch.tensor(labels)), similarity
    )[1]
    assert (gradient[0] != 0).tolist() == [False, False, True, False, True, True]


@pytest.mark.parametrize("settings", SETTINGS)
def test_agrees_with_the_slow_version(settings: dict[str, Any]) -> None:
    for seed in range(8):
        embeddings, labels = random_pairs(seed)
        expected = _slow(embeddings, labels, **settings)
        assert expected > 0
        assert multi_similarity_loss(embeddings, labels, **settings).item() == pytest.approx(
            expected, abs=1e-10
        )


def test_the_similarity_form_takes_independent_entries() -> None:
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        similarity = 2 * torch.rand(10, 10, generator=generator, dtype=torch.float64) - 1  # not symmetric
        labels = torch.randint(4, (10,), generator=generator)
        expected = slow_multi_similarity_loss(similarity.tolist(), labels.tolist(), **OFFICIAL)
        value = multi_similarity_loss_of_similarity(similarity, labels)
        assert value.item() == pytest.approx(expected, abs=1e-10)
        assert torch.equal(MultiSimilarityLoss().from_similarity(similarity, labels), value)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_is_the_papers_pair_weight(seed: int) -> None:
    """General Pair Weighting: N times the slope by S_ij is -w+ on positives and w- on negatives."""
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(8, 8, generator=generator, dtype=torch.float64) - 1
    labels = torch.randint(3, (8,), generator=generator)
    alpha, beta, base = 2.0, 40.0, 0.5
    slope = (
        8
        * value_and_gradient(
            lambda live: multi_similarity_loss_of_similarity(live, labels, epsilon=None), similarity
        )[1]
    )
    positives, negatives = pair_masks(labels)
    expected = torch.zeros(8, 8, dtype=torch.float64)
    for i in range(8):
        for j in range(8):
            near, rivals = similarity[i, j], similarity[i]
            if positives[i, j]:
                others = (-alpha * (rivals[positives[i]] - near)).exp().sum()
                expected[i, j] = -1 / ((-alpha * (base - near)).exp() + others)
            if negatives[i, j]:
                others = (beta * (rivals[negatives[i]] - near)).exp().sum()
                expected[i, j] = 1 / ((beta * (base - near)).exp() + others)
    assert torch.allclose(slope, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", SETTINGS)
def test_gradcheck(settings: dict[str, Any], seed: int) -> None:
    embeddings, labels = random_pairs(seed, num_rows=8)
    assert torch.autograd.gradcheck(
        lambda live: multi_similarity_loss(live, labels, **settings), (embeddings.requires_grad_(),)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_batches_are_defined(dtype: torch.dtype) -> None:
    embeddings, two_each = random_pairs(0, num_rows=4)[0].to(dtype), torch.tensor([0, 0, 1, 1])
    at_one = math.log(1 + math.exp(-1)) / 2 + math.log(1 + 2 * math.exp(20)) / 40
    at_zero = math.log(1 + math.exp(1)) / 2 + math.log(1 + 2 * math.exp(-20)) / 40
    cases = {
        "identical rows": (embeddings[:1].repeat(4, 1), two_each, at_one),
        "zero rows": (torch.zeros_like(embeddings), two_each, at_zero),
        "one identity": (embeddings, torch.zeros(4, dtype=torch.long), 0.0),
        "one image per identity": (embeddings, torch.arange(4), 0.0),
        "one image": (embeddings[:1], torch.tensor([7]), 0.0),
        "tiny embeddings": (1e-25 * embeddings, two_each, None),
        "large embeddings": (1e25 * embeddings, two_each, None),
    }
    for name, (rows, labels, expected) in cases.items():
        loss, gradient = value_and_gradient(
            lambda live, labels=labels: multi_similarity_loss(live, labels), rows
        )
        if expected is None:
            expected = _slow(rows.double(), labels, **OFFICIAL)
        assert loss.item() == pytest.approx(expected, abs=10 * torch.finfo(dtype).eps), name
        assert torch.isfinite(gradient).all(), name
        assert expected != 0 or (gradient == 0).all(), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_mining_a_missing_kind_of_pairs_is_log_one(dtype: torch.dtype) -> None:
    rows = torch.eye(4, dtype=dtype)  # all similarities 0
    one_identity = value_and_gradient(
        lambda live: multi_similarity_loss(live, torch.zeros(4, dtype=torch.long), epsilon=None), rows
    )
    all_different = value_and_gradient(
        lambda live: multi_similarity_loss(live, torch.arange(4), epsilon=None), rows
    )
    assert one_identity[0].item() == pytest.approx(math.log(1 + 3 * math.e) / 2, rel=1e-6)
    assert all_different[0].item() == pytest.approx(math.log1p(3 * math.exp(-20)) / 40, abs=1e-8)
    assert torch.isfinite(one_identity[1]).all()
    assert torch.isfinite(all_different[1]).all()


def test_steep_settings_do_not_overflow() -> None:
    embeddings, labels = random_pairs(4)
    loss, gradient = value_and_gradient(
        lambda live: multi_similarity_loss(live, labels, alpha=1e4, beta=1e4), embeddings.float()
    )
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("settings", SETTINGS)
def test_agrees_with_pytorch_metric_learning(
    settings: dict[str, Any], seed: int, dtype: torch.dtype, tolerance: float, device: str
) -> None:
    embeddings, labels = (tensor.to(device) for tensor in random_pairs(seed))
    epsilon = settings["epsilon"]
    peer = PeerMultiSimilarityLoss(alpha=settings["alpha"], beta=settings["beta"], base=settings["base"])

    def peer_loss(live: Tensor) -> Tensor:
        pairs = None if epsilon is None else MultiSimilarityMiner(epsilon=epsilon)(live, labels)
        return peer(live, labels, pairs)

    expected = value_and_gradient(peer_loss, embeddings.to(dtype))
    ours = value_and_gradient(
        lambda live: multi_similarity_loss(live, labels, **settings), embeddings.to(dtype)
    )
    for value, wanted in zip(ours, expected, strict=True):
        assert torch.allclose(value, wanted, rtol=tolerance, atol=tolerance)


def test_module_gives_the_function_with_its_settings() -> None:
    embeddings, labels = random_pairs(12)
    for settings in SETTINGS:
        value = MultiSimilarityLoss(**settings)(embeddings, labels, logits=torch.zeros(len(labels), 9))
        assert torch.equal(value, multi_similarity_loss(embeddings, labels, **settings))
    assert torch.equal(
        MultiSimilarityLoss()(embeddings, labels), multi_similarity_loss(embeddings, labels, **OFFICIAL)
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.0}, "alpha must be a positive number, got 0.0"),
        ({"beta": -1.0}, "beta must be a positive number, got -1.0"),
        ({"beta": math.nan}, "beta must be a positive number, got nan"),
        ({"base": 1.5}, r"the base is a cosine in \[-1, 1\], got 1.5"),
        ({"epsilon": -0.1}, "epsilon must be a number of at least 0, or None for no mining, got -0.1"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiSimilarityLoss(**settings)
    with pytest.raises(ValueError, match=message):
        multi_similarity_loss(*random_pairs(0), **settings)


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"expected embeddings \(N, D\) and labels \(N,\), got \(3, 2\)"):
        MultiSimilarityLoss()(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))
