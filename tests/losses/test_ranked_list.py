from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import RankedListLoss as PeerRankedListLoss
from torch import Tensor

from reid_gl.losses.ranked_list import (
    RankedListLoss,
    ranked_list_loss,
    ranked_list_loss_of_similarity,
)
from tests.reference.slow_ranked_list import slow_ranked_list_loss
from tests.reference.slow_similarity import slow_cosine_distance

CVPR = {"alpha": 1.2, "margin": 0.4, "temperature": 10.0, "positive_temperature": 0.0}
SETTINGS = [
    CVPR,
    {**CVPR, "positive_temperature": 3.0, "temperature": 4.0},
    {**CVPR, "alpha": 2.0, "margin": 1.3, "temperature": 1.0},
    {**CVPR, "alpha": 1.1, "margin": 0.2, "temperature": 0.0},
]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")),
]


def _random_case(seed: int, *, num_rows: int = 12, width: int = 4) -> tuple[Tensor, Tensor]:
    """Few enough classes and numbers that both kinds of pairs violate; some identities have one image."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = 3 * torch.randn(num_rows, width, generator=generator, dtype=torch.float64)
    return embeddings, torch.randint(5, (num_rows,), generator=generator)


def _gradient(loss: Any, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    live = embeddings.clone().requires_grad_()
    value = loss(live)
    return value.detach(), torch.autograd.grad(value, live)[0]


def _slow(embeddings: Tensor, labels: Tensor, **settings: float) -> float:
    rows = embeddings.tolist()
    similarity = [[1 - d for d in row] for row in slow_cosine_distance(rows, rows)]
    shares = {"pull_share": 1.0, "push_share": 1.0}
    return slow_ranked_list_loss(similarity, labels.tolist(), **{**shares, **settings})


def _three_distances() -> Tensor:
    """Cosines of three images at distances 1 (0 to 1 and 1 to 2) and 0.7 (0 to 2)."""
    distance = torch.tensor([[0, 1, 0.7], [1, 0, 1], [0.7, 1, 0]], dtype=torch.float64)
    return 1 - distance.square() / 2


def test_three_images_by_hand() -> None:
    """Bounds 0.8 and 1.2: the positives are 0.2 too far, the negatives 0.5 and 0.2 too near."""
    both = (0.5 * math.exp(5) + 0.2 * math.exp(2)) / (math.exp(5) + math.exp(2))
    labels = torch.tensor([0, 0, 1])
    value = ranked_list_loss_of_similarity(_three_distances(), labels)
    assert value.item() == pytest.approx(((0.2 + 0.5) + (0.2 + 0.2) + both) / 3, abs=1e-12)
    value = ranked_list_loss_of_similarity(_three_distances(), labels, balance=0.25, temperature=0.0)
    pull, push = 0.2 + 0.2, 0.5 + 0.2 + 0.35
    assert value.item() == pytest.approx((0.75 * pull + 0.25 * push) / 3, abs=1e-12)


@pytest.mark.parametrize("settings", SETTINGS)
def test_agrees_with_the_slow_version(settings: dict[str, float]) -> None:
    for seed in range(8):
        embeddings, labels = _random_case(seed)
        expected = _slow(embeddings, labels, **settings)
        assert expected > 0
        assert ranked_list_loss(embeddings, labels, **settings).item() == pytest.approx(expected, abs=1e-10)


def test_both_ways_of_weighting_the_parts() -> None:
    for seed in range(8):
        embeddings, labels = _random_case(seed)
        value = ranked_list_loss(embeddings, labels, negative_weight=0.3)
        assert value.item() == pytest.approx(_slow(embeddings, labels, **CVPR, push_share=0.3), abs=1e-10)
        value = ranked_list_loss(embeddings, labels, balance=0.3)
        expected = _slow(embeddings, labels, **CVPR, pull_share=0.7, push_share=0.3)
        assert value.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_the_similarity_form_takes_independent_entries(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(10, 10, generator=generator, dtype=torch.float64) - 1  # not symmetric
    labels = torch.randint(4, (10,), generator=generator)
    expected = slow_ranked_list_loss(
        similarity.tolist(), labels.tolist(), **CVPR, pull_share=1.0, push_share=1.0
    )
    value = ranked_list_loss_of_similarity(similarity, labels)
    assert value.item() == pytest.approx(expected, abs=1e-10)
    assert torch.equal(RankedListLoss().from_similarity(similarity, labels), value)
    gradient = _gradient(lambda live: ranked_list_loss_of_similarity(live, labels), similarity)[1]
    assert (gradient.diagonal() == 0).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", SETTINGS)
def test_gradcheck(settings: dict[str, float], seed: int) -> None:
    embeddings, labels = _random_case(seed, num_rows=8)
    assert torch.autograd.gradcheck(
        lambda live: ranked_list_loss(live, labels, **settings), (embeddings.requires_grad_(),)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_large_temperature_tends_to_the_worst_violation_without_overflow(dtype: torch.dtype) -> None:
    labels = torch.tensor([0, 0, 1])
    similarity = _three_distances().to(dtype).requires_grad_()
    loss = ranked_list_loss_of_similarity(similarity, labels, temperature=1e6, positive_temperature=1e6)
    assert loss.item() == pytest.approx((0.2 + 0.5 + 0.2 + 0.2 + 0.5) / 3, abs=1e-6)
    assert torch.isfinite(torch.autograd.grad(loss, similarity)[0]).all()


def test_no_violation_is_zero_with_a_live_graph() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], dtype=torch.float64)
    loss, gradient = _gradient(lambda live: ranked_list_loss(live, torch.tensor([0, 0, 1, 1])), embeddings)
    assert loss == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_batches_are_defined(dtype: torch.dtype) -> None:
    embeddings, two_each = _random_case(0, num_rows=4)[0].to(dtype), torch.tensor([0, 0, 1, 1])
    one_identity, all_different = torch.zeros(4, dtype=torch.long), torch.arange(4)
    spread = torch.eye(4, dtype=dtype)
    cases = {
        "identical rows": (spread[:1].repeat(4, 1), two_each, 1.2),  # the negatives alone, at distance 0
        "identical rows, rounded": (embeddings[:1].repeat(4, 1), two_each, 1.2),
        "identical rows, one identity": (spread[:1].repeat(4, 1), one_identity, 0.0),
        "zero rows": (torch.zeros_like(spread), two_each, math.sqrt(2) - 0.8),
        "one identity": (spread, one_identity, math.sqrt(2) - 0.8),
        "one image per identity": (spread[:2].repeat(2, 1) + spread[0], all_different, None),
        "one image": (spread[:1], torch.tensor([7]), 0.0),
        "tiny embeddings": (1e-25 * embeddings, two_each, None),
        "large embeddings": (1e25 * embeddings, two_each, None),
    }
    for name, (rows, labels, expected) in cases.items():
        loss, gradient = _gradient(lambda live, labels=labels: ranked_list_loss(live, labels), rows)
        if expected is None:
            expected = _slow(rows.double(), labels, **CVPR)
        # where rows coincide up to rounding their distance is at most the root of some eps
        tolerance = (
            4 * math.sqrt(torch.finfo(dtype).eps) if "rounded" in name else 20 * torch.finfo(dtype).eps
        )
        assert loss.item() == pytest.approx(expected, abs=tolerance), name
        assert torch.isfinite(gradient).all(), name


def _peer(embeddings: Tensor, labels: Tensor, settings: dict[str, float], imbalance: float) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Values of Tp or Tn are too high")
        peer = PeerRankedListLoss(
            margin=settings["margin"],
            Tn=settings["temperature"],
            imbalance=imbalance,
            alpha=settings["alpha"],
            Tp=settings["positive_temperature"],
        )
    return peer(embeddings, labels)


def _with_normaliser(
    embeddings: Tensor, labels: Tensor, settings: dict[str, float], imbalance: float, added: float
) -> Tensor:
    """The loss from differences of unit vectors, `added` to the sum of weights per row of the batch.

    The peer adds 1e-5, this package nothing: with it this is the peer exactly, without it this package, so
    that no tolerance has to cover the difference.
    """
    unit = F.normalize(embeddings, dim=1)
    rows = torch.arange(len(labels), device=labels.device)
    parts = []
    for i in range(len(labels)):
        distance = (unit[i] - unit[rows != i]).norm(dim=1)
        same = labels[rows != i] == labels[i]
        too_far = (distance[same] - (settings["alpha"] - settings["margin"])).clamp_min(0)
        too_near = (settings["alpha"] - distance[~same]).clamp_min(0)
        for share, violations, temperature in (
            (1 - imbalance, too_far, settings["positive_temperature"]),
            (imbalance, too_near, settings["temperature"]),
        ):
            violations = violations[violations > 0]
            weights = (temperature * violations).exp()
            if len(violations):
                parts.append(share * (weights * violations).sum() / (weights.sum() + added * len(labels)))
    return torch.stack(parts).sum() / len(labels)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("settings", SETTINGS)
def test_agrees_with_pytorch_metric_learning(
    settings: dict[str, float], seed: int, dtype: torch.dtype, tolerance: float, device: str
) -> None:
    embeddings, labels = (tensor.to(device) for tensor in _random_case(seed))
    embeddings, imbalance = embeddings.to(dtype), 0.5 if seed % 2 else 0.3
    peer = _gradient(lambda live: _peer(live, labels, settings, imbalance), embeddings)
    as_peer = _gradient(lambda live: _with_normaliser(live, labels, settings, imbalance, 1e-5), embeddings)
    as_ours = _gradient(lambda live: _with_normaliser(live, labels, settings, imbalance, 0.0), embeddings)
    ours = _gradient(lambda live: ranked_list_loss(live, labels, **settings, balance=imbalance), embeddings)
    for expected, value in zip((*peer, *as_ours), (*as_peer, *ours), strict=True):
        assert torch.allclose(value, expected, rtol=tolerance, atol=tolerance)
    # every weight is at least 1, so the peer's term takes at most N * 1e-5 of each part
    assert peer[0] * (1 - 1e-5) <= ours[0] <= peer[0] * (1 + 1e-5 * len(labels)) * (1 + 1e-5)


def test_the_cvpr_form_is_twice_the_balanced_one() -> None:
    embeddings, labels = _random_case(11)
    halved = ranked_list_loss(embeddings, labels, balance=0.5)
    assert ranked_list_loss(embeddings, labels).item() == pytest.approx(2 * halved.item(), abs=1e-12)


def test_module_gives_the_function_with_its_settings() -> None:
    embeddings, labels = _random_case(12)
    settings = {**SETTINGS[1], "balance": 0.2}
    value = RankedListLoss(**settings)(
        embeddings, labels, logits=torch.zeros(len(labels), 9), anchors=torch.zeros(3)
    )
    assert torch.equal(value, ranked_list_loss(embeddings, labels, **settings))
    weighted = RankedListLoss(negative_weight=0.5)(embeddings, labels)
    assert torch.equal(weighted, ranked_list_loss(embeddings, labels, negative_weight=0.5))
    assert weighted != RankedListLoss()(embeddings, labels)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.0}, "alpha must be a positive number, got 0.0"),
        ({"alpha": math.nan}, "alpha must be a positive number, got nan"),
        ({"margin": -0.1}, r"the margin must lie in \[0, alpha\] = \[0, 1.2\], got -0.1"),
        ({"margin": 1.3}, r"the margin must lie in \[0, alpha\] = \[0, 1.2\], got 1.3"),
        ({"temperature": -1.0}, "the temperature must be a number of at least 0, got -1.0"),
        ({"positive_temperature": math.inf}, "the positive temperature must be .* at least 0, got inf"),
        ({"negative_weight": -2.0}, "the negative weight must be a number of at least 0, got -2.0"),
        ({"balance": 1.5}, r"the balance must lie in \[0, 1\], got 1.5"),
        ({"balance": 0.5, "negative_weight": 2.0}, "balance 0.5 takes the place of negative weight 2.0"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RankedListLoss(**settings)
    with pytest.raises(ValueError, match=message):
        ranked_list_loss(*_random_case(0), **settings)


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"expected embeddings \(N, D\) and labels \(N,\), got \(3, 2\)"):
        RankedListLoss()(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))
