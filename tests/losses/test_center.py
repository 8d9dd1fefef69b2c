from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reid_gl.losses.center import CenterLoss, center_loss
from tests.reference.slow_center import slow_center_loss


def _random_case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = 3 * torch.randn(8, 5, generator=generator, dtype=torch.float64)
    centers = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    return embeddings, torch.randint(4, (8,), generator=generator), centers


def _gradients(embeddings: Tensor, labels: Tensor, centers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    live, live_centers = embeddings.clone().requires_grad_(), centers.clone().requires_grad_()
    loss = center_loss(live, labels, centers=live_centers)
    return loss.detach(), *torch.autograd.grad(loss, [live, live_centers])


def test_by_hand() -> None:
    """Squared distances 25 and 4; half of their mean is 7.25."""
    embeddings = torch.tensor([[3.0, 4.0], [1.0, -1.0]])
    centers = torch.tensor([[1.0, 1.0], [9.0, 9.0], [0.0, 0.0]])
    loss, gradient, of_centers = _gradients(embeddings, torch.tensor([2, 0]), centers)
    assert loss.item() == 7.25
    assert gradient.tolist() == [[1.5, 2.0], [0.0, -1.0]]
    assert of_centers.tolist() == [[0.0, 1.0], [0.0, 0.0], [-1.5, -2.0]]


def test_agrees_with_the_slow_version() -> None:
    for seed in range(8):
        embeddings, labels, centers = _random_case(seed)
        expected = slow_center_loss(embeddings.tolist(), labels.tolist(), centers=centers.tolist())
        assert center_loss(embeddings, labels, centers=centers).item() == pytest.approx(expected, abs=1e-10)


def test_gradcheck() -> None:
    embeddings, labels, centers = _random_case(0)
    assert torch.autograd.gradcheck(
        lambda live, live_centers: center_loss(live, labels, centers=live_centers),
        (embeddings.requires_grad_(), centers.requires_grad_()),
    )


def test_it_is_least_at_the_mean_of_each_identity() -> None:
    for seed in range(5):
        embeddings, labels, centers = _random_case(seed)
        means = centers.clone()
        for label in labels.unique():
            means[label] = embeddings[labels == label].mean(dim=0)
        loss, _, of_centers = _gradients(embeddings, labels, means)
        assert of_centers.abs().max() < 1e-12
        assert loss < center_loss(embeddings, labels, centers=centers)


def test_it_grows_with_the_square_of_the_scale() -> None:
    embeddings, labels, centers = _random_case(1)
    value = center_loss(embeddings, labels, centers=centers).item()
    scaled = center_loss(10 * embeddings, labels, centers=10 * centers).item()
    assert scaled == pytest.approx(100 * value, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_batches_are_defined(dtype: torch.dtype) -> None:
    embeddings, labels, centers = (t.to(dtype) if t.is_floating_point() else t for t in _random_case(2))
    cases = {
        "every embedding on its centre": (centers[labels], labels, 0.0),
        "identical rows": (torch.ones_like(embeddings), torch.zeros_like(labels), None),
        "zero rows": (torch.zeros_like(embeddings), labels, None),
        "one image per identity": (embeddings[:4], torch.arange(4), None),
        "one image": (embeddings[:1], labels[:1], None),
    }
    for name, (rows, classes, expected) in cases.items():
        loss, gradient, of_centers = _gradients(rows, classes, centers)
        if expected is None:
            expected = slow_center_loss(rows.tolist(), classes.tolist(), centers=centers.tolist())
        assert loss.item() == pytest.approx(expected, rel=4 * torch.finfo(dtype).eps), name
        assert torch.isfinite(gradient).all(), name
        assert torch.isfinite(of_centers).all(), name
        assert expected != 0 or (gradient == 0).all(), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    embeddings, labels, centers = _random_case(3)
    half = embeddings.to(dtype)
    for given in (centers.float(), centers.to(dtype)):
        value = center_loss(half, labels, centers=given)
        assert value.dtype == torch.float32
        assert torch.equal(value, center_loss(half.float(), labels, centers=given.float()))


def test_autocast_changes_nothing() -> None:
    embeddings, labels, centers = _random_case(4)
    expected = _gradients(embeddings.float(), labels, centers.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = _gradients(embeddings.float(), labels, centers.float())
    assert all(torch.equal(a, b) for a, b in zip(inside, expected, strict=True))


def test_module_learns_its_centers() -> None:
    embeddings, labels, _ = _random_case(5)
    torch.manual_seed(7)
    module = CenterLoss(4, 5)
    assert [name for name, _ in module.named_parameters()] == ["centers"]
    loss = module(embeddings.float(), labels, logits=torch.zeros(len(labels), 9), anchors=torch.zeros(3))
    assert torch.equal(loss, center_loss(embeddings.float(), labels, centers=module.centers))
    loss.backward()
    seen = torch.isin(torch.arange(4), labels)
    assert module.centers.grad is not None
    assert torch.equal(module.centers.grad.abs().sum(dim=1) > 0, seen)


def test_centers_are_normal_and_follow_the_global_generator() -> None:
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(CenterLoss(200, 50).centers.detach())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].mean().abs() < 0.05
    assert (draws[0].std() - 1).abs() < 0.05


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="at least one class and one feature, got 0 and 5"):
        CenterLoss(0, 5)
    with pytest.raises(ValueError, match="at least one class and one feature, got 4 and 0"):
        CenterLoss(4, 0)
    labels = torch.zeros(3, dtype=torch.long)
    with pytest.raises(
        ValueError, match=r"expected embeddings \(N, D\) and labels .* got \(2, 5\) and \(3,\)"
    ):
        CenterLoss(4, 5)(torch.zeros(2, 5), labels)
    with pytest.raises(ValueError, match=r"centres of 5 numbers need embeddings \(N, 5\), got \(3, 6\)"):
        CenterLoss(4, 5)(torch.zeros(3, 6), labels)
