from __future__ import annotations

import pytest
from torch import nn

from reid_gl.models.evaluation_mode import evaluation_mode


def test_every_module_has_its_own_mode_again_even_after_an_error() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout())).train()
    net[1].eval()
    before = [module.training for module in net.modules()]
    assert sorted(set(before)) == [False, True]
    with evaluation_mode(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == before
    with pytest.raises(TypeError), evaluation_mode(net):
        net(None)
    assert [module.training for module in net.modules()] == before
