from __future__ import annotations

import pytest
import torch
from torch import nn

from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.optimizer import OPTIMIZERS, make_optimizer, set_learning_rate


@pytest.fixture(scope="module")
def net() -> ReidNet:
    return ReidNet(NetSettings("resnet18", 4))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_parameter_that_learns_is_in_one_group_and_moves(name: str) -> None:
    net = ReidNet(NetSettings("resnet18", 4))
    centres = nn.Linear(2, 2)
    optimizer = make_optimizer(net, centres, name=name, lr=0.1)
    learned = [p for p in (*net.parameters(), *centres.parameters()) if p.requires_grad]
    grouped = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in learned}
    assert len(grouped) == len(learned)
    before = [p.detach().clone() for p in learned]
    for parameter in learned:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert all(not torch.equal(old, new) for old, new in zip(before, learned, strict=True))


def test_the_backbone_learns_at_its_own_rate(net: ReidNet) -> None:
    optimizer = make_optimizer(net, nn.Identity(), lr=0.1, backbone_lr_factor=0.5)
    assert set_learning_rate(optimizer, 0.1) == pytest.approx(0.01)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.005, 0.01])
    backbone = {id(p) for p in net.backbone.parameters()}
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == backbone


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "lion"}, "unknown optimiser 'lion'"),
        ({"lr": 0.0}, "rates must be positive"),
        ({"backbone_lr_factor": -1.0}, "rates must be positive"),
    ],
)
def test_bad_settings(net: ReidNet, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_optimizer(net, nn.Identity(), **settings)  # type: ignore[arg-type]
