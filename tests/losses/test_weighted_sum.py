from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from reid_gl.losses import CrossEntropyLoss, GroupLoss, LossTerm, WeightedSum
from reid_gl.records import ReidOutput


class _Mean(nn.Module):
    """A loss that shows what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, embeddings: Tensor, labels: Tensor, **_: object) -> Tensor:
        return self.scale * embeddings.mean()


def _output() -> ReidOutput:
    return ReidOutput(
        before_neck=torch.full((4, 3), 2.0),
        after_neck=torch.full((4, 3), 5.0),
        logits=torch.randn(4, 2, generator=torch.Generator().manual_seed(0), requires_grad=True),
    )


def test_sum_by_hand() -> None:
    loss = WeightedSum(
        [LossTerm("near", _Mean(), weight=10.0), LossTerm("far", _Mean(), 0.5, feature="after_neck")]
    )
    total, values = loss(_output(), torch.zeros(4, dtype=torch.long))
    assert total.item() == pytest.approx(10 * 2 + 0.5 * 5)
    assert {name: value.item() for name, value in values.items()} == {"near": 2.0, "far": 5.0}


def test_values_are_detached_and_the_total_is_live() -> None:
    output, labels = _output(), torch.tensor([0, 0, 1, 1])
    total, values = WeightedSum([LossTerm("cross_entropy", CrossEntropyLoss(), weight=3.0)])(output, labels)
    assert not any(value.requires_grad for value in values.values())
    assert torch.equal(total, 3 * values["cross_entropy"])
    total.backward()
    assert output.logits.grad is not None
    assert output.logits.grad.abs().max() > 0


def test_the_generator_reaches_the_losses() -> None:
    output, labels = _output(), torch.tensor([0, 0, 1, 1])
    output = output._replace(before_neck=torch.randn(4, 3, generator=torch.Generator().manual_seed(1)))
    loss = WeightedSum([LossTerm("group", GroupLoss(anchors_per_class=1, temperature=1.0))])
    state = torch.get_rng_state()
    totals = [loss(output, labels, generator=torch.Generator().manual_seed(0))[0] for _ in range(2)]
    assert totals[0] == totals[1]
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_of_the_losses_are_its_own() -> None:
    loss = WeightedSum([LossTerm("a", _Mean()), LossTerm("b", _Mean())])
    assert [name for name, _ in loss.named_parameters()] == ["losses.a.scale", "losses.b.scale"]


def test_a_term_of_weight_zero_does_not_count() -> None:
    total, values = WeightedSum([LossTerm("off", _Mean(), weight=0.0)])(
        _output(), torch.zeros(4, dtype=torch.long)
    )
    assert total == 0
    assert values["off"] == 2


def test_no_loss() -> None:
    with pytest.raises(ValueError, match=r"no loss was given: name at least one in LOSS\.NAMES"):
        WeightedSum([])


def test_unknown_feature() -> None:
    with pytest.raises(ValueError, match="unknown feature 'neck': expected one of before_neck, after_neck"):
        WeightedSum([LossTerm("mean", _Mean(), feature="neck")])


def test_a_rate_factor_that_is_not_positive() -> None:
    with pytest.raises(ValueError, match=r"the rate factor of mean must be positive, got 0\.0"):
        WeightedSum([LossTerm("mean", _Mean(), lr_factor=0.0)])


@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
def test_a_weight_that_makes_no_sense(weight: float) -> None:
    with pytest.raises(ValueError, match=f"the weight of ce must be at least 0, got {weight}"):
        WeightedSum([LossTerm("ce", CrossEntropyLoss(), weight)])
