from __future__ import annotations

import argparse
import io
import os
import pickle
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError

import pytest
import torch
import torchvision.models

from reid_gl.models import NetSettings, ReidNet, load_backbone_weights, load_net, read_checkpoint
from reid_gl.models.packaged import PACKAGED_ARCHITECTURE, PACKAGED_FILE
from reid_gl.models.weights import CHECKPOINT_FORMAT, load_tensors


def _net(num_classes: int = 3, backbone: str = "resnet18") -> ReidNet:
    return ReidNet(NetSettings(backbone, num_classes))


@pytest.fixture(scope="module")
def net() -> ReidNet:
    return _net()


@pytest.fixture(scope="module")
def checkpoint(net: ReidNet) -> dict[str, Any]:
    return {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "model": net.state_dict(),
        "preprocessing": {"height": 64, "width": 32},
        "epoch": 7,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "best.pth"


class _Trap:
    """Makes a folder when unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_gives_the_network_back(net: ReidNet, checkpoint: dict[str, Any], path: Path) -> None:
    torch.save(checkpoint, path)
    loaded = load_net(path)
    assert not loaded.net.training
    assert loaded.net.settings == net.settings
    assert loaded.checkpoint["epoch"] == 7
    assert loaded.checkpoint["preprocessing"] == {"height": 64, "width": 32}
    for name, tensor in net.state_dict().items():
        assert torch.equal(loaded.net.state_dict()[name], tensor)


def test_missing_checkpoint(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"checkpoint .*best\.pth does not exist"):
        read_checkpoint(path)


def test_a_configuration_that_takes_minutes_to_parse(checkpoint: dict[str, Any], path: Path) -> None:
    torch.save({**checkpoint, "config": "a: " + "x" * 1_000_000}, path)
    with pytest.raises(ValueError, match=r"best\.pth is damaged: its configuration has 1,000,003 letters"):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, 0.9999])
@pytest.mark.parametrize("new_format", [True, False])
def test_truncated_checkpoint(checkpoint: dict[str, Any], path: Path, new_format: bool, share: float) -> None:
    file = io.BytesIO()
    torch.save(checkpoint, file, _use_new_zipfile_serialization=new_format)
    path.write_bytes(file.getvalue()[: int(share * len(file.getvalue()))])
    with pytest.raises(
        ValueError, match=r"best\.pth is (truncated|empty|not a reid_gl checkpoint)"
    ) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"hello world\n", b"{}", b"MODEL:\n  X: 1\n", b"junk", b"\x89PNG\r\n", b"\0" * 99],
)
def test_files_that_are_no_checkpoint_at_all(path: Path, net: ReidNet, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"best\.pth is (truncated or no checkpoint|not a reid_gl checkpoint)"
    ):
        read_checkpoint(path)
    with pytest.raises(ValueError, match=r"best\.pth is no file of plain tensors"):
        load_backbone_weights(net, str(path))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))])
def test_pickled_objects_are_never_loaded(path: Path, net: ReidNet, save: Any) -> None:
    folder = path.parent / "trap"
    for value in ({"format": CHECKPOINT_FORMAT, "model": _Trap(folder)}, argparse.Namespace(a=1)):
        save(value, path)
        with pytest.raises(ValueError, match=r"best\.pth is not a reid_gl checkpoint: .* never loaded"):
            read_checkpoint(path)
        with pytest.raises(ValueError, match=r"best\.pth is no file of plain tensors: .* never loaded$"):
            load_backbone_weights(net, str(path))
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [({"state_dict": {}, "epoch": 1}, "None"), ({"format": "reid_gl/0"}, "'reid_gl/0'"), ([1], "'list'")],
)
def test_other_projects_checkpoints(path: Path, content: Any, found: str) -> None:
    torch.save(content, path)
    with pytest.raises(ValueError, match=f"is not a reid_gl checkpoint: expected format .*, found {found}"):
        read_checkpoint(path)


def test_another_number_of_classes(checkpoint: dict[str, Any], path: Path) -> None:
    torch.save({**checkpoint, "net": NetSettings("resnet18", 9).to_dict()}, path)
    message = (
        r"best\.pth does not fit the network in 1 places "
        r"\(classifier\.weight is \(3, 512\), expected \(9, 512\)\): it was made for another"
    )
    with pytest.raises(ValueError, match=message):
        load_net(path)
    torch.save({**checkpoint, "net": {**NetSettings("resnet18", 3).to_dict(), "pooling": "x"}}, path)
    with pytest.raises(ValueError, match=r"best\.pth describes a network that cannot be built: .*pooling"):
        load_net(path)


def test_other_tensors(net: ReidNet) -> None:
    tensors = net.state_dict()
    tensors["extra"] = tensors.pop("neck.weight")
    with pytest.raises(ValueError, match=r"in 2 places \(missing neck\.weight; unexpected extra\)"):
        load_tensors(_net(), tensors, source="x.pth")


@pytest.mark.parametrize(
    ("prefix", "key"),
    [("", None), ("module.", "state_dict"), ("backbone.", "model"), ("module.backbone.", None)],
)
def test_backbone_weights_from_a_file(path: Path, prefix: str, key: str | None) -> None:
    resnet = torchvision.models.resnet18(weights=None).state_dict()
    named = {prefix + name: tensor for name, tensor in resnet.items()}
    torch.save({key: named, "epoch": 3} if key else named, path)
    filled = _net()
    assert load_backbone_weights(filled, str(path)) == len(filled.backbone.state_dict())
    for name, tensor in filled.backbone.state_dict().items():
        assert torch.equal(tensor, resnet[name])


def test_backbone_weights_from_our_own_checkpoint(
    net: ReidNet, checkpoint: dict[str, Any], path: Path
) -> None:
    torch.save(checkpoint, path)
    filled = _net(num_classes=9)
    load_backbone_weights(filled, str(path))
    assert torch.equal(
        filled.backbone.state_dict()["conv1.weight"], net.backbone.state_dict()["conv1.weight"]
    )


def test_old_files_without_batch_counts(path: Path) -> None:
    resnet = torchvision.models.resnet18(weights=None).state_dict()
    torch.save({k: v for k, v in resnet.items() if not k.endswith("num_batches_tracked")}, path)
    assert load_backbone_weights(_net(), str(path)) == 100


def test_backbone_weights_that_do_not_fill_it(path: Path) -> None:
    resnet = torchvision.models.resnet18(weights=None).state_dict()
    del resnet["conv1.weight"]
    resnet["bn1.weight"] = torch.ones(7)
    torch.save(resnet, path)
    filled = _net()
    before = {name: tensor.clone() for name, tensor in filled.state_dict().items()}
    message = (
        r"does not fill resnet18: 1 tensors are missing \(conv1.weight\), 1 have another shape \(bn1.weight\)"
    )
    with pytest.raises(ValueError, match=message):
        load_backbone_weights(filled, str(path))
    assert all(torch.equal(tensor, before[name]) for name, tensor in filled.state_dict().items())


def test_backbone_weights_that_are_no_state_dict(net: ReidNet, path: Path) -> None:
    torch.save(torch.zeros(3), path)
    with pytest.raises(ValueError, match="holds no state dict: expected names and tensors, found a Tensor"):
        load_backbone_weights(net, str(path))


def test_missing_backbone_weights(net: ReidNet, path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"PRETRAINED .*best\.pth does not exist: give a file, imagenet, or"
    ):
        load_backbone_weights(net, str(path))


def test_imagenet_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    resnet = torchvision.models.resnet18(weights=None).state_dict()
    asked: list[Any] = []

    def get_state_dict(weights: Any, **_: object) -> dict[str, Any]:
        asked.append(weights)
        return resnet

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", get_state_dict)
    filled = _net()
    assert load_backbone_weights(filled, "imagenet") == 120
    assert asked == [torchvision.models.ResNet18_Weights.IMAGENET1K_V1]
    assert torch.equal(filled.backbone.state_dict()["conv1.weight"], resnet["conv1.weight"])


@pytest.mark.parametrize("error", [URLError("no route to host"), RuntimeError("invalid hash value")])
def test_imagenet_weights_out_of_reach(
    net: ReidNet, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", fail)
    message = (
        r"the ImageNet weights of resnet18 cannot be downloaded \(.*(no route|invalid hash).*\): "
        "set MODEL.PRETRAINED to a file with the weights, or to none to train from scratch"
    )
    with pytest.raises(ValueError, match=message):
        load_backbone_weights(net, "imagenet")


def test_no_imagenet_weights_for_osnet(net: ReidNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "settings", NetSettings("osnet_x1_0", 3))
    with pytest.raises(
        ValueError, match=r"torchvision has no ImageNet weights for osnet_x1_0: set MODEL\.PRET"
    ):
        load_backbone_weights(net, "imagenet")


def test_the_network_that_is_part_of_the_package_starts_a_backbone() -> None:
    net = _net(backbone=PACKAGED_ARCHITECTURE)
    assert load_backbone_weights(net, "package") == len(net.backbone.state_dict())
    stored = read_checkpoint(PACKAGED_FILE)["model"]
    assert torch.equal(net.backbone.state_dict()["conv1.weight"], stored["backbone.conv1.weight"].float())
