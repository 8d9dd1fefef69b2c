from __future__ import annotations

import pytest
import torch
from torch import nn

from reid_gl.losses import CrossEntropyLoss, LossTerm, WeightedSum
from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.optimizer import OPTIMIZERS, make_optimizer, set_learning_rate

NOTHING_LEARNED = WeightedSum([LossTerm("cross_entropy", CrossEntropyLoss())])


@pytest.fixture(scope="module")
def net() -> ReidNet:
    return ReidNet(NetSettings("resnet18", 4))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_parameter_that_learns_is_in_one_group_and_moves(name: str) -> None:
    net = ReidNet(NetSettings("resnet18", 4))
    losses = WeightedSum([LossTerm("a", nn.Linear(2, 2)), LossTerm("b", nn.Linear(3, 2))])
    optimizer = make_optimizer(net, losses, name=name, lr=0.1)
    learned = [p for p in (*net.parameters(), *losses.parameters()) if p.requires_grad]
    grouped = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in learned}
    assert len(grouped) == len(learned)
    before = [p.detach().clone() for p in learned]
    for parameter in learned:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert all(not torch.equal(old, new) for old, new in zip(before, learned, strict=True))


def test_the_backbone_learns_at_its_own_rate(net: ReidNet) -> None:
    optimizer = make_optimizer(net, NOTHING_LEARNED, lr=0.1, backbone_lr_factor=0.5)
    assert set_learning_rate(optimizer, 0.1) == pytest.approx(0.01)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.005, 0.01])
    backbone = {id(p) for p in net.backbone.parameters()}
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == backbone


def test_each_loss_that_learns_has_a_group_and_a_rate_of_its_own(net: ReidNet) -> None:
    fixed = nn.Linear(2, 2)
    fixed.requires_grad_(False)
    losses = WeightedSum(
        [
            LossTerm("fast", nn.Linear(2, 2), lr_factor=100.0),
            LossTerm("cross_entropy", CrossEntropyLoss()),
            LossTerm("fixed", fixed),
            LossTerm("slow", nn.Linear(2, 2), lr_factor=0.5),
        ]
    )
    optimizer = make_optimizer(net, losses, lr=0.1, backbone_lr_factor=2.0, weight_decay=0.3)
    assert set_learning_rate(optimizer, 0.1) == pytest.approx(0.01)  # the head's
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.01, 1.0, 0.005])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.3, 0.0, 0.0]
    for place, name in ((2, "fast"), (3, "slow")):
        members = {id(p) for p in optimizer.param_groups[place]["params"]}
        assert members == {id(p) for p in losses.losses[name].parameters()}


def test_a_state_from_before_losses_had_groups_is_taken(net: ReidNet) -> None:
    """Backbone and head, in this order, at their own rates: what every checkpoint holds."""
    optimizer = make_optimizer(net, NOTHING_LEARNED, lr=0.1, backbone_lr_factor=0.5)
    in_backbone = {id(p) for p in net.backbone.parameters()}
    learned = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if id(p) in in_backbone], "base_lr": 0.2},
        {"params": [p for p in learned if id(p) not in in_backbone], "base_lr": 0.3},
    ]
    old = torch.optim.Adam(groups, lr=0.1, weight_decay=5e-4, fused=True)
    optimizer.load_state_dict(old.state_dict())
    assert [group["base_lr"] for group in optimizer.param_groups] == [0.2, 0.3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "lion"}, "unknown optimiser 'lion'"),
        ({"lr": 0.0}, "rates must be positive"),
        ({"lr": float("nan")}, "rates must be positive"),
        ({"backbone_lr_factor": -1.0}, "rates must be positive"),
        ({"weight_decay": -1.0}, "SOLVER.WEIGHT_DECAY must be at least 0 and SOLVER.MOM.* got -1.0 and"),
        ({"momentum": 1.0}, "SOLVER.WEIGHT_DECAY must be at least 0 and SOLVER.MOM.* and 1.0"),
    ],
)
def test_bad_settings(net: ReidNet, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_optimizer(net, NOTHING_LEARNED, **settings)  # type: ignore[arg-type]
