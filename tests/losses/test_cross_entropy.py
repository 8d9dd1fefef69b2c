from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reid_gl.losses import CrossEntropyLoss, cross_entropy_loss


def _slow(logits: Tensor, labels: Tensor, label_smoothing: float) -> float:
    """Minus the target's share times the logarithm of each class's softmax, added up class by class."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        log_sum = math.log(math.fsum(math.exp(z) for z in row))
        for c, z in enumerate(row):
            target = label_smoothing / len(row) + (1 - label_smoothing) * (c == label)
            total -= target * (z - log_sum)
    return total / len(labels)


def _case(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(6, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(4, (6,), generator=generator)


def test_by_hand() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0]])  # softmax (3/4, 1/4)
    assert cross_entropy_loss(logits, torch.tensor([0])).item() == pytest.approx(math.log(4 / 3))
    smoothed = cross_entropy_loss(logits, torch.tensor([0]), label_smoothing=0.1)  # target (.95, .05)
    assert smoothed.item() == pytest.approx(0.95 * math.log(4 / 3) + 0.05 * math.log(4))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.5])
def test_agrees_with_the_slow_version(label_smoothing: float) -> None:
    for seed in range(8):
        logits, labels = _case(seed)
        value = cross_entropy_loss(logits, labels, label_smoothing=label_smoothing)
        assert value.item() == pytest.approx(_slow(logits, labels, label_smoothing), abs=1e-12)


def test_gradcheck() -> None:
    logits, labels = _case(0)
    assert torch.autograd.gradcheck(
        lambda live: cross_entropy_loss(live, labels, label_smoothing=0.1), (logits.requires_grad_(),)
    )


def test_a_constant_added_to_a_row_changes_nothing() -> None:
    logits, labels = _case(1)
    assert cross_entropy_loss(logits + 100, labels).item() == pytest.approx(
        cross_entropy_loss(logits, labels).item()
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits, labels = _case(2)
    value = cross_entropy_loss(logits.to(dtype), labels)
    assert value.dtype == torch.float32
    assert torch.equal(value, cross_entropy_loss(logits.to(dtype).float(), labels))


def test_degenerate_cases_are_finite() -> None:
    logits = torch.tensor([[1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    loss = cross_entropy_loss(logits, torch.tensor([1, 0]), label_smoothing=0.1)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert torch.isfinite(loss)
    assert cross_entropy_loss(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long)) == 0  # a single class


def test_module_ignores_embeddings() -> None:
    logits, labels = _case(3)
    module = CrossEntropyLoss(label_smoothing=0.2)
    values = [
        module(embeddings, labels, logits=logits) for embeddings in (torch.zeros(6, 2), torch.ones(6, 1))
    ]
    assert values[0] == values[1] == cross_entropy_loss(logits, labels, label_smoothing=0.2)


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0, 7.0])
def test_smoothing_out_of_range(label_smoothing: float) -> None:
    with pytest.raises(ValueError, match=rf"label smoothing must lie in \[0, 1\), got {label_smoothing}"):
        CrossEntropyLoss(label_smoothing=label_smoothing)


def test_logits_are_needed() -> None:
    with pytest.raises(ValueError, match="the network must have a classifier"):
        CrossEntropyLoss()(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
