from __future__ import annotations

import pytest
import torch
from torch import nn

from reid_gl.models.neck import make_neck


def test_bnneck_learns_a_scale_and_no_shift() -> None:
    neck = make_neck("bnneck", 4)
    assert isinstance(neck, nn.BatchNorm1d)
    assert neck.weight.requires_grad
    assert not neck.bias.requires_grad
    assert neck.bias.abs().max() == 0


def test_bnneck_by_hand() -> None:
    neck = make_neck("bnneck", 1)
    normalised = neck(torch.tensor([[1.0], [3.0]]))  # mean 2, deviation 1
    assert torch.allclose(normalised, torch.tensor([[-1.0], [1.0]]), atol=1e-4)


def test_an_optimiser_leaves_the_bias_alone() -> None:
    neck = make_neck("bnneck", 3)
    optimizer = torch.optim.SGD([p for p in neck.parameters() if p.requires_grad], lr=1.0)
    neck(torch.randn(8, 3, generator=torch.Generator().manual_seed(0))).pow(3).sum().backward()
    optimizer.step()
    assert dict(neck.named_parameters())["bias"].abs().max() == 0
    assert (dict(neck.named_parameters())["weight"] != 1).all()


def test_none_is_the_identity() -> None:
    features = torch.randn(2, 3)
    assert make_neck("none", 3)(features) is features


def test_unknown_neck() -> None:
    with pytest.raises(ValueError, match="unknown neck 'giraffe': expected one of bnneck, none"):
        make_neck("giraffe", 3)
