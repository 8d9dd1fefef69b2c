from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pytorch_metric_learning.losses import CircleLoss as PeerCircleLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from reid_gl.losses.circle_classifier import CircleClassifierLoss, circle_classifier_loss
from tests.reference.slow_circle_classifier import slow_circle_classifier_loss

SETTINGS = [{"margin": 0.25, "scale": 128.0}, {"margin": 0.4, "scale": 8.0}, {"margin": 0.0, "scale": 30.0}]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")),
]


def _random_case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = 3 * torch.randn(8, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    return embeddings, torch.randint(4, (8,), generator=generator), weight


def _gradients(loss: Any, embeddings: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    live, live_weight = embeddings.clone().requires_grad_(), weight.clone().requires_grad_()
    value = loss(live, live_weight)
    return value.detach(), *torch.autograd.grad(value, [live, live_weight])


def _loss_and_gradients(
    embeddings: Tensor, labels: Tensor, weight: Tensor, **settings: float
) -> tuple[Tensor, Tensor, Tensor]:
    return _gradients(
        lambda live, live_weight: circle_classifier_loss(live, labels, weight=live_weight, **settings),
        embeddings,
        weight,
    )


def test_by_hand() -> None:
    """Cosines 1 (own) and 0; margin .25: logits 8 * .25 * .25 = .5 and 8 * .25 * -.25 = -.5."""
    weight = torch.eye(2, dtype=torch.float64)
    embeddings, labels = torch.tensor([[5.0, 0.0]], dtype=torch.float64), torch.tensor([0])
    loss, gradient, _ = _loss_and_gradients(embeddings, labels, weight, margin=0.25, scale=8.0)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)), abs=1e-12)
    # the other class's share times its factor 8 * .25, over the length 5; along the embedding nothing
    assert gradient[0].tolist() == pytest.approx([0.0, 2 / 5 / (1 + math.e)], abs=1e-12)


@pytest.mark.parametrize("settings", SETTINGS)
def test_agrees_with_the_slow_version(settings: dict[str, float]) -> None:
    for seed in range(8):
        embeddings, labels, weight = _random_case(seed)
        expected = slow_circle_classifier_loss(
            embeddings.tolist(), labels.tolist(), weight=weight.tolist(), **settings
        )
        value = circle_classifier_loss(embeddings, labels, weight=weight, **settings)
        assert value.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_gradient_takes_the_factors_as_constants(settings: dict[str, float], seed: int) -> None:
    """Central differences of the slow version whose factors stay those of the unchanged point."""
    embeddings, labels, weight = _random_case(seed)
    _, gradient, of_weight = _loss_and_gradients(embeddings, labels, weight, **settings)
    point = (embeddings.tolist(), weight.tolist())

    def slow(changed: Tensor, changed_weight: Tensor) -> float:
        return slow_circle_classifier_loss(
            changed.tolist(),
            labels.tolist(),
            weight=changed_weight.tolist(),
            weighted_as_at=point,
            **settings,
        )

    step = 1e-6
    for i in range(len(embeddings)):
        for j in range(5):
            shift = torch.zeros_like(embeddings)
            shift[i, j] = step
            slope = (slow(embeddings + shift, weight) - slow(embeddings - shift, weight)) / (2 * step)
            assert gradient[i, j].item() == pytest.approx(slope, abs=1e-6)
    for c in range(len(weight)):
        for j in range(5):
            shift = torch.zeros_like(weight)
            shift[c, j] = step
            slope = (slow(embeddings, weight + shift) - slow(embeddings, weight - shift)) / (2 * step)
            assert of_weight[c, j].item() == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_the_scale_of_rows_and_the_order_of_classes_do_not_matter() -> None:
    for seed in range(8):
        embeddings, labels, weight = _random_case(seed)
        order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
        renamed = order.argsort()[labels]
        value = circle_classifier_loss(1000 * embeddings, renamed, weight=0.01 * weight[order])
        expected = circle_classifier_loss(embeddings, labels, weight=weight)
        assert value.item() == pytest.approx(expected.item(), rel=1e-12)


def test_nearer_to_the_own_class_costs_less() -> None:
    weight = torch.eye(3, dtype=torch.float64)
    losses = [
        circle_classifier_loss(
            torch.tensor([[math.cos(t), math.sin(t), 0.0]], dtype=torch.float64),
            torch.tensor([0]),
            weight=weight,
        ).item()
        for t in (1.5, 1.2, 0.9, 0.6, 0.3)
    ]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_batches_are_defined(dtype: torch.dtype) -> None:
    embeddings, labels, weight = (t.to(dtype) if t.is_floating_point() else t for t in _random_case(2))
    own, other = 1.25 * -0.75, 0.25 * -0.25  # logits at cosine 0, over the scale
    at_zero = 128 * (other - own) + math.log(3)  # the own class's share of the sum is below rounding
    cases = {
        "identical rows": (embeddings[:1].repeat(8, 1), labels, weight, None),
        "zero rows": (torch.zeros_like(embeddings), labels, weight, at_zero),
        "zero weight": (embeddings, labels, torch.zeros_like(weight), at_zero),
        "one identity": (embeddings, torch.zeros_like(labels), weight, None),
        "one image": (embeddings[:1], labels[:1], weight, None),
        "a single class": (embeddings, torch.zeros_like(labels), weight[:1], 0.0),
        "tiny embeddings": (1e-25 * embeddings, labels, weight, None),
        "large embeddings": (1e25 * embeddings, labels, weight, None),
    }
    for name, (rows, classes, directions, expected) in cases.items():
        loss, *gradients = _loss_and_gradients(rows, classes, directions)
        if expected is None:
            expected = slow_circle_classifier_loss(
                rows.tolist(), classes.tolist(), weight=directions.tolist(), margin=0.25, scale=128.0
            )
        # rounding of a cosine times the steepest slope, 128 * 2.25
        assert loss.item() == pytest.approx(expected, abs=300 * torch.finfo(dtype).eps), name
        assert all(torch.isfinite(gradient).all() for gradient in gradients), name
        if "zero" in name or "single" in name:
            assert (gradients["weight" in name] == 0).all(), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    embeddings, labels, weight = _random_case(3)
    half = embeddings.to(dtype)
    for given in (weight.float(), weight.to(dtype)):
        value = circle_classifier_loss(half, labels, weight=given)
        assert value.dtype == torch.float32
        assert torch.equal(value, circle_classifier_loss(half.float(), labels, weight=given.float()))


def test_autocast_changes_nothing() -> None:
    embeddings, labels, weight = _random_case(4)
    inputs = embeddings.float().requires_grad_(), weight.float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = circle_classifier_loss(inputs[0], labels, weight=inputs[1])
    outside = circle_classifier_loss(inputs[0], labels, weight=inputs[1])
    assert torch.equal(inside, outside)
    gradients = [torch.autograd.grad(loss, inputs) for loss in (inside, outside)]
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("seed", range(10))
def test_agrees_with_pytorch_metric_learning(
    seed: int, dtype: torch.dtype, tolerance: float, device: str
) -> None:
    """Its pairwise Circle loss, with the weight as one reference image for each class.

    Its softplus is the identity beyond 20 and there wrong by up to 2.1e-9: at scale 3.5 no row can get so far
    (the logits differ by at most 3.5 * (1.25 * 0.75 + 2.25 * 1.75) = 17.1).
    """
    embeddings, labels, weight = (tensor.to(device) for tensor in _random_case(seed))
    peer = PeerCircleLoss(m=0.25, gamma=3.5, reducer=MeanReducer())
    classes = torch.arange(4, device=device)
    expected = _gradients(
        lambda live, live_weight: peer(live, labels, ref_emb=live_weight, ref_labels=classes),
        embeddings.to(dtype),
        weight.to(dtype),
    )
    ours = _loss_and_gradients(embeddings.to(dtype), labels, weight.to(dtype), scale=3.5)
    for value, wanted in zip(ours, expected, strict=True):
        assert torch.allclose(value, wanted, rtol=tolerance, atol=tolerance)


def test_agrees_with_pytorch_metric_learning_at_the_papers_scale() -> None:
    for seed in range(10):
        embeddings, labels, weight = _random_case(seed)
        peer = PeerCircleLoss(m=0.25, gamma=128, reducer=MeanReducer())
        expected = peer(embeddings, labels, ref_emb=weight, ref_labels=torch.arange(4))
        value = circle_classifier_loss(embeddings, labels, weight=weight)
        assert value.item() == pytest.approx(expected.item(), rel=0, abs=math.log1p(math.exp(-20)) + 1e-11)


def test_module_learns_its_weight() -> None:
    embeddings, labels, _ = _random_case(5)
    torch.manual_seed(7)
    module = CircleClassifierLoss(4, 5, margin=0.3, scale=20.0)
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    loss = module(embeddings.float(), labels, logits=torch.zeros(len(labels), 9), anchors=torch.zeros(3))
    expected = circle_classifier_loss(
        embeddings.float(), labels, weight=module.weight, margin=0.3, scale=20.0
    )
    assert torch.equal(loss, expected)
    default = CircleClassifierLoss(4, 5)
    assert (default.margin, default.scale) == (0.25, 128.0)
    loss.backward()
    assert module.weight.grad is not None
    assert (module.weight.grad.abs().sum(dim=1) > 0).all()


def test_the_weight_follows_the_global_generator() -> None:
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(CircleClassifierLoss(200, 50).weight.detach())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert (draws[0].norm(dim=1).mean() - 1).abs() < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"margin": -0.1}, r"the margin must lie in \[0, 1\], got -0.1"),
        ({"margin": math.nan}, r"the margin must lie in \[0, 1\], got nan"),
        ({"scale": 0.0}, "the scale must be a positive number, got 0.0"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    embeddings, labels, weight = _random_case(0)
    with pytest.raises(ValueError, match=message):
        CircleClassifierLoss(4, 5, **settings)
    with pytest.raises(ValueError, match=message):
        circle_classifier_loss(embeddings, labels, weight=weight, **settings)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="at least one class and one feature, got 0 and 5"):
        CircleClassifierLoss(0, 5)
    with pytest.raises(ValueError, match="at least one class and one feature, got 4 and 0"):
        CircleClassifierLoss(4, 0)
    labels = torch.zeros(3, dtype=torch.long)
    with pytest.raises(
        ValueError, match=r"expected embeddings \(N, D\) and labels .* got \(2, 5\) and \(3,\)"
    ):
        CircleClassifierLoss(4, 5)(torch.zeros(2, 5), labels)
    with pytest.raises(ValueError, match=r"directions of 5 numbers need embeddings \(N, 5\), got \(3, 6\)"):
        CircleClassifierLoss(4, 5)(torch.zeros(3, 6), labels)
