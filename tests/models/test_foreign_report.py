from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from reid_gl.models.foreign_report import fill_network


def test_one_number_fits_whatever_its_shape() -> None:
    net = nn.Module()
    net.exponent = nn.Parameter(torch.tensor(1.0))
    report = fill_network(net, {"p": torch.tensor([2.5])}, lambda _: "exponent", project="p", path=Path("a"))
    assert net.exponent.item() == 2.5
    assert (report.project, report.loaded, report.share) == ("p", ("exponent",), 1.0)


def test_classifiers_and_counters_do_not_count() -> None:
    net = nn.Sequential(nn.BatchNorm1d(2))
    tensors = {"0.weight": torch.zeros(2), "0.bias": torch.zeros(2), "classifier.weight": torch.zeros(9)}
    with pytest.raises(ValueError, match=r"2 of 4 tensors .* filled; 2 missing \(0\.running_mean"):
        fill_network(net, tensors, str, project="p", path=Path("a.pth"))
