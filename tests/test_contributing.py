"""The recipes of CONTRIBUTING.md run, and are as short as they claim to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from yacs.config import CfgNode

import reid_gl.experiment
from reid_gl.config import read_experiment
from reid_gl.data.datasets import LOADERS
from reid_gl.experiment.load_data import load_data
from reid_gl.experiment.make_network import make_losses
from reid_gl.losses import LOSSES
from reid_gl.records import ReidOutput

ROOT = Path(__file__).parents[1]
SECTIONS = re.split(r"^### ", (ROOT / "CONTRIBUTING.md").read_text().split("## Recipes")[1], flags=re.M)[1:]
RECIPES = {
    section.splitlines()[0]: "\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.S))
    for section in SECTIONS
}
MOST_LINES = 15


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[CfgNode]]:
    """The configurations that a recipe would train; what it registers is gone afterwards."""
    configs: list[CfgNode] = []
    monkeypatch.setattr(reid_gl.experiment, "run_training", configs.append)
    registries = (LOSSES, LOADERS)
    before: list[dict[str, Any]] = [dict(registry) for registry in registries]
    yield configs
    for registry, entries in zip(registries, before, strict=True):
        for name in set(registry) - set(entries):
            del registry[name]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_short(name: str) -> None:
    lines = [line for line in RECIPES[name].splitlines() if line.strip()]
    assert 5 < len(lines) <= MOST_LINES


def test_the_loss_of_the_recipe_trains(trained: list[CfgNode]) -> None:
    exec(RECIPES["A loss"], {})
    (config,) = trained
    losses = make_losses(read_experiment(config), 2, 1)
    rows = torch.tensor([[0.0], [2.0], [5.0]], requires_grad=True)
    total, terms = losses(ReidOutput(rows * 0, rows, torch.zeros(3, 2)), torch.tensor([0, 0, 1]))
    assert float(terms["compact"]) == pytest.approx(8 / 5)  # 0, 4, 4, 0 and 0
    total.backward()
    assert rows.grad is not None
    np.testing.assert_allclose(rows.grad.flatten(), np.array([-1.6, 1.6, 0.0]) * 0.1, atol=1e-6)


def test_the_data_set_of_the_recipe_is_read(trained: list[CfgNode], tmp_path: Path) -> None:
    for part, stem in (("train", "0001_0_1"), ("query", "0012_3_1"), ("gallery", "0012_4_1")):
        (tmp_path / part).mkdir()
        (tmp_path / part / f"{stem}.jpg").touch()
    exec(RECIPES["A data set"].replace("/data/shop", str(tmp_path)), {})
    dataset = load_data(read_experiment(trained[0]).data)
    assert dataset.name == "shop"
    sides = (dataset.train, dataset.query, dataset.gallery)
    assert [(sample.pid, sample.camid) for side in sides for sample in side] == [(1, 0), (12, 3), (12, 4)]


def test_the_backbone_of_the_recipe_gives_what_it_says() -> None:
    names: dict[str, Any] = {}
    exec(RECIPES["A backbone"], names)
    assert names["output"].after_neck.shape == (4, 32)
    assert names["output"].logits.shape == (4, 751)
