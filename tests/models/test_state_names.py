"""State dicts come in containers and under prefixes; both are taken off, and nothing else is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models
from torch import Tensor

from reid_gl.models import NetSettings, ReidNet, load_backbone_weights
from reid_gl.models.foreign import load_foreign
from reid_gl.models.state_dicts import read_state_dict
from reid_gl.models.state_names import CONTAINERS, strip_prefixes
from tests.torchreid_quiet import import_torchreid_quietly

RESNET = torchvision.models.resnet18(weights=None, num_classes=3).state_dict()
PREFIXES = (
    "",
    "module.",
    "module.module.",
    "_orig_mod.",
    "module._orig_mod.",
    "model.",
    "net.",
    "model._orig_mod.module.",
    "encoder_q.",
    "module.encoder_q.",
)
CONTAINED = [(key,) for key in CONTAINERS] + [
    ("ema", "module"),
    ("state_dict", "model"),
    ("net", "state_dict"),
]


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in RESNET.items()}


def save(path: Path, content: Any, keys: tuple[str, ...] = ()) -> Path:
    for key in reversed(keys):
        content = {"epoch": 3, key: content, "optimizer": {"state": {}, "lr": 0.1}}
    torch.save(content, path)
    return path


def loaded_for_training(path: Path) -> ReidNet:
    net = ReidNet(NetSettings("resnet18", 2))
    load_backbone_weights(net, str(path))
    return net


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_go(prefix: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", prefixed(prefix))
    assert same(read_state_dict(path), RESNET)
    assert torch.equal(loaded_for_training(path).backbone.conv1.weight, RESNET["conv1.weight"])


@pytest.mark.parametrize("keys", CONTAINED)
def test_containers_are_opened(keys: tuple[str, ...], tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", prefixed("module."), keys)
    assert same(read_state_dict(path), RESNET)
    assert torch.equal(loaded_for_training(path).backbone.conv1.weight, RESNET["conv1.weight"])


def test_the_trained_weights_come_before_their_average(tmp_path: Path) -> None:
    average = {name: torch.zeros_like(value) for name, value in RESNET.items()}
    torch.save({"ema": average, "model": RESNET}, tmp_path / "net.pth")
    assert same(read_state_dict(tmp_path / "net.pth"), RESNET)


def test_of_mocos_two_encoders_the_trained_one_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = {f"module.encoder_k.{name}": torch.zeros_like(value) for name, value in RESNET.items()}
    queue = {"module.queue": torch.zeros(2, 8), "module.queue_ptr": torch.zeros(1)}
    path = save(tmp_path / "net.pth", {**prefixed("module.encoder_q."), **other, **queue}, ("state_dict",))
    with caplog.at_level(logging.INFO, logger="reid_gl"):
        assert same(read_state_dict(path), RESNET)
    assert "only encoder_q.* is used, left out: 124 names (encoder_k.conv1.weight, " in caplog.text
    assert torch.equal(loaded_for_training(path).backbone.conv1.weight, RESNET["conv1.weight"])


def test_lightnings_loss_is_left_out(tmp_path: Path) -> None:
    path = save(
        tmp_path / "net.ckpt", {**prefixed("model."), "loss.centers": torch.zeros(3)}, ("state_dict",)
    )
    assert same(read_state_dict(path), RESNET)


@pytest.mark.parametrize("prefix", ["model.backbone.", "module.base.", "backbone._orig_mod."])
def test_the_backbone_of_a_whole_network(prefix: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", {**prefixed(prefix), "classifier.weight": torch.zeros(9, 512)})
    assert torch.equal(loaded_for_training(path).backbone.conv1.weight, RESNET["conv1.weight"])


def test_a_wrapped_foreign_network_is_known_by_its_names(tmp_path: Path) -> None:
    net = {f"model.base.{name}": value for name, value in RESNET.items() if not name.startswith("fc")}
    path = save(tmp_path / "net.ckpt", net, ("state_dict",))
    assert load_foreign(path, "resnet18").report.project == "reid-strong-baseline"


def test_names_that_belong_to_the_network_stay() -> None:
    tensors = {f"layer{place}.model.weight": torch.zeros(1) for place in range(5)} | {
        "net.weight": torch.ones(1)
    }
    assert strip_prefixes(tensors) == tensors


@pytest.mark.parametrize("name", ["osnet_x0_25", "hacnn", "mlfn", "squeezenet1_0", "densenet121", "pcb_p4"])
def test_no_network_of_torchreid_loses_a_name(name: str) -> None:
    models = import_torchreid_quietly("torchreid.reid.models")
    own = models.build_model(name, num_classes=2, pretrained=False, use_gpu=False).state_dict()
    assert same(strip_prefixes(own), own)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"epoch": 3, "optimizer": {"lr": 1}}, r"found 2 names \(epoch, optimizer\)"),
        ({"model": {"epoch": 3}}, r"found 1 names \(model\)"),
        ([1, 2], "found a list"),
        ({}, "found nothing"),
    ],
)
def test_what_holds_no_tensors_is_refused_with_what_it_holds(
    content: Any, found: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "net.pth", content)
    message = f"holds no state dict: expected names and tensors, {found}"
    with pytest.raises(ValueError, match=message):
        read_state_dict(path)
    with pytest.raises(ValueError, match=message):
        loaded_for_training(path)


def test_weights_of_another_network_are_refused_with_the_names_they_have(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", {"stem.weight": torch.zeros(1), "head.bias": torch.zeros(1)})
    with pytest.raises(
        ValueError, match=r"does not fill resnet18: .*; it has 2 names \(stem\.weight, head\.bias\)"
    ):
        loaded_for_training(path)
